//! The year in ClickHouse.

use super::story::id;
use super::tables::Tables;

/// Every event once, June's broken talk not among them. What we tell ourselves is there too, and counted elsewhere.
pub(super) fn raw(tables: &mut Tables<'_>) {
    let sql = "select event_type, count() from events_raw where payload not like '%\"source\":\"milepost\"%' group by event_type";
    tables.show_there(
        "events_raw",
        sql,
        &[
            "buddy.checkin.completed | 3",
            "buddy.event.attended | 3",
            "buddy.event.logged | 1",
            "buddy.feedback.submitted | 2",
            "buddy.import.batch | 1",
            "buddy.match.created | 3",
            "buddy.match.ended | 2",
            "buddy.milestone.reached | 2",
            "buddy.skill_share.completed | 1",
            "company.synced | 2",
            "external.donation.made | 1",
            "external.user.synced | 2",
            "external.volunteer.logged | 1",
            "ingest.directory.synced | 8",
            "ingest.donation.made | 1",
            "ingest.enrollment.created | 4",
            "ingest.placement.created | 4",
            "ingest.volunteer.logged | 2",
            "kintell.rating.created | 5",
            "kintell.session.completed | 5",
            "kintell.session.scheduled | 4",
            "nlq.cache.invalidated | 1",
            "nlq.query.completed | 1",
            "nlq.query.failed | 1",
            "nlq.query.rejected | 1",
            "nlq.query.started | 1",
            "orchestration.journey.milestone.reached | 1",
            "orchestration.profile.updated | 1",
            "privacy.consent.changed | 2",
            "privacy.request.completed | 1",
            "privacy.request.opened | 2",
            "program.campaign.synced | 3",
            "program.synced | 2",
            "q2q.outcome.scored | 8",
            "reporting.citation.edited | 1",
            "reporting.evidence_gate.violation | 1",
            "reporting.redaction.completed | 1",
            "safety.flag.raised | 2",
            "safety.review.completed | 2",
            "upskilling.course.completed | 1",
            "upskilling.credential.issued | 1",
            "upskilling.progress.updated | 5",
        ],
    );
    // Points: milestones 50 and 75, knitting 15. Given: 250 and 100.
    let sums = "select toString(sum(points)), toString(sum(amount)) from events_raw";
    tables.show_there("events_raw", sums, &["140 | 350"]);
    // Nothing that somebody wrote, no name and no e-mail.
    let written = "select payload from events_raw where match(payload,
        '(?i)fjord.example|berg|dahl|lovely|shy|nice wool|pace|listens|likes the snow|about snow|too fast')";
    tables.show_there("events_raw", written, &[]);
}

/// What can be summed: minutes and ratings, and the people whom events name.
pub(super) fn aggregated(tables: &mut Tables<'_>) {
    let sql = "select event_type, sum(events), uniqMerge(people), toString(sum(minutes)), toString(sum(rating_sum)),
            sum(rating_count)
        from events_aggregated group by event_type having sum(minutes) > 0 or sum(rating_count) > 0";
    tables.show_there(
        "events_aggregated",
        sql,
        &[
            // 60 + 45 + 60 + 30 of language, 90 of mentorship; Ada and Cleo.
            "kintell.session.completed | 5 | 2 | 285 | 0 | 0",
            "kintell.rating.created | 5 | 0 | 0 | 3.9 | 5",
            "buddy.skill_share.completed | 1 | 1 | 45 | 0.9 | 1",
            "buddy.feedback.submitted | 2 | 0 | 0 | 1.4 | 2",
            // The museum twice; how long the fair was is not known.
            "buddy.event.attended | 3 | 3 | 180 | 0 | 0",
            "ingest.volunteer.logged | 2 | 1 | 660 | 0 | 0",
            "external.volunteer.logged | 1 | 1 | 150 | 0 | 0",
        ],
    );
}

/// Each day on which something counted, by campaign and programme. Where Cleo's match names no campaign, none is named.
pub(super) fn daily(tables: &mut Tables<'_>) {
    const MEASURES: [&str; 12] = [
        "minutes",
        "rating_sum",
        "score_sum",
        "score_count",
        "enrolled_people",
        "matches",
        "events",
        "skill_shares",
        "feedbacks",
        "milestones",
        "checkins",
        "sroi_weight",
    ];
    let shown = MEASURES.map(|name| format!("if({name} = 0, '', concat('{name} ', toString({name})))")).join(", ");
    let sql = format!(
        "select company_id, day, campaign_id, program_id,
            arrayStringConcat(arrayFilter(one -> one <> '', [{shown}]), ', ') as counted
         from metrics_daily final where counted <> ''"
    );
    tables.show_there(
        "metrics_daily",
        &sql,
        &[
            "Fjord | 01-28 | - | - | minutes 480",
            "Fjord | 02-03 | Welcome | Buddies | enrolled_people 2, matches 1, sroi_weight 10",
            "Fjord | 02-05 | Welcome | Buddies | checkins 1, sroi_weight 3",
            "Fjord | 02-10 | Welcome | Buddies | events 1, sroi_weight 5",
            "Fjord | 02-12 | - | Buddies | enrolled_people 1, matches 1, sroi_weight 10",
            "Fjord | 02-20 | - | Norsk | minutes 60, rating_sum 0.9",
            "Fjord | 02-21 | - | Norsk | rating_sum 0.7",
            "Fjord | 03-05 | - | - | minutes 45, skill_shares 1, sroi_weight 15",
            "Fjord | 03-08 | - | - | milestones 1, sroi_weight 20",
            "Fjord | 03-15 | - | - | score_sum 0.6, score_count 1",
            "Fjord | 03-16 | - | - | score_sum 0.45, score_count 1",
            "Fjord | 03-24 | - | - | minutes 90",
            "Fjord | 03-30 | - | Leaders | enrolled_people 1",
            "Fjord | 04-10 | Welcome | Buddies | events 1, sroi_weight 5",
            "Fjord | 04-10 | - | Buddies | events 1, sroi_weight 5",
            "Fjord | 04-15 | Welcome | Buddies | rating_sum 0.8, feedbacks 1, sroi_weight 8",
            "Fjord | 04-25 | - | Buddies | checkins 1, sroi_weight 3",
            "Fjord | 05-12 | - | Norsk | minutes 45, rating_sum 1",
            "Fjord | 05-26 | - | - | minutes 150",
            "Fjord | 06-15 | - | - | score_sum 0.8, score_count 1",
            "Fjord | 06-16 | - | - | score_sum 0.55, score_count 1",
            "Fjord | 06-17 | - | - | score_sum 0.75, score_count 1",
            "Fjord | 06-30 | Welcome | Buddies | feedbacks 1, sroi_weight 8",
            "Fjord | 09-02 | - | Norsk | minutes 60",
            "Fjord | 09-03 | - | Norsk | rating_sum 0.8",
            "Fjord | 09-10 | - | - | score_sum 0.65, score_count 1",
            "Fjord | 10-08 | Winter | - | matches 1, sroi_weight 10",
            "Fjord | 10-09 | Winter | - | checkins 1, sroi_weight 3",
            "Brook | 11-05 | - | - | minutes 30, rating_sum 0.5",
            "Fjord | 11-06 | - | - | score_sum 0.4, score_count 1",
            "Fjord | 11-20 | Winter | - | events 1, sroi_weight 5",
            "Fjord | 12-12 | - | - | milestones 1, sroi_weight 20",
            "Fjord | 2026-01-01 | - | - | minutes 180",
        ],
    );
}

/// Months of what Fjord did outside of campaigns and programmes, and of its lessons, beside the month before.
pub(super) fn monthly(tables: &mut Tables<'_>) {
    let sql = format!(
        "select program_id, month, toString(minutes), toString(minutes_change), toString(sroi_weight),
            toString(sroi_weight_change)
         from metrics_monthly
         where company_id = '{}' and campaign_id is null and (program_id is null or program_id = '{}')",
        id("Fjord"),
        id("Norsk")
    );
    tables.show_there(
        "metrics_monthly",
        &sql,
        &[
            "- | 01-01 | 480 | - | 0 | -",
            "- | 03-01 | 135 | -345 | 35 | 35",
            "- | 05-01 | 150 | 15 | 0 | -35",
            "- | 06-01 | 0 | -150 | 0 | 0",
            "- | 09-01 | 0 | 0 | 0 | 0",
            "- | 11-01 | 0 | 0 | 0 | 0",
            "- | 12-01 | 0 | 0 | 20 | 20",
            "- | 2026-01-01 | 180 | 180 | 0 | -20",
            "Norsk | 02-01 | 60 | - | 0 | -",
            "Norsk | 05-01 | 45 | -15 | 0 | 0",
            "Norsk | 09-01 | 60 | 15 | 0 | 0",
        ],
    );
}

/// Two companies are too few to be compared: it would tell what a single one did.
pub(super) fn benchmarks(tables: &mut Tables<'_>) {
    tables.show_there("benchmarks", "select * from benchmarks", &[]);
}
