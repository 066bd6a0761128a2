//! The evidence ledger and the quarters of people, by counting.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::naive::{entity, matches, sessions};
use super::people::People;
use super::quarters::{name, rounded, start_of};
use super::told::{Time, Told, in_order};
use crate::support::World;

/// Type, system, id and person, with company, campaign, time, minutes, rating and points as text.
type Evidence = BTreeMap<String, String>;

/// Tables and count must agree.
pub(super) async fn assert_evidence(world: &World, documents: &[Value]) {
    let sql = "select concat_ws(' ', evidence_type, source_system, source_id, user_id) as key,
        concat_ws(' ', coalesce(company_id::text, '-'), coalesce(campaign_id::text, '-'),
            (extract(epoch from evidence_at) * 1000000)::bigint,
            coalesce(evidence_data ->> 'duration_minutes', '-'),
            coalesce(trim_scale((evidence_data ->> 'rating')::numeric)::text, '-'),
            coalesce(evidence_data ->> 'points', '-')) as columns
        from evidence_ledger where not evidence_data ? 'skill_id'
        union all
        select concat_ws(' ', user_id, quarter),
            concat_ws(' ', coalesce(integration_score::text, '-'), coalesce(language_score::text, '-'),
                coalesce(job_readiness_score::text, '-'), coalesce(confidence::text, '-'), evidence_lineage)
        from outcome_scores_quarterly";
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let found: Evidence = world.rows(sql).await.iter().map(|row| (text(&row["key"]), text(&row["columns"]))).collect();
    let expected = expected(documents);
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differing: Vec<_> = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key)).collect();
    let show = |key: &&String| format!("{key}: expected {:?}, found {:?}", expected.get(*key), found.get(*key));
    let shown: Vec<String> = differing.iter().copied().take(6).map(|key| show(&key)).collect();
    assert!(differing.is_empty(), "{} of {} differ, such as\n{}", differing.len(), expected.len(), shown.join("\n"));
    for kind in ["session kintell", "feedback kintell", "feedback buddy", "milestone buddy", "milestone upskilling"] {
        assert!(expected.keys().any(|key| key.starts_with(kind)), "there is evidence of {kind}");
    }
    // Of skill shares, which have measures of their own, there is one for each.
    let shares = "select count(*) from kintell_sessions as s full join evidence_ledger as e
        on e.source_id = s.id::text and e.source_system = 'buddy' and e.evidence_type = 'session'
           and e.user_id = s.participant_id and e.evidence_at = s.completed_at
        where (s.session_type = 'skill_share' and e.id is null)
           or (s.id is null and e.source_system = 'buddy' and e.evidence_type = 'session')";
    assert_eq!(world.number(shares).await, 0);
}

struct Ledger<'p> {
    people: &'p People,
    rows: Evidence,
}

impl Ledger<'_> {
    fn add(&mut self, what: &str, person: Uuid, at: Time, campaign: Option<Uuid>, measures: [Option<String>; 3]) {
        let id = |id: Option<Uuid>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let company = id(self.people.company(person, at));
        let measures = measures.map(|measure| measure.unwrap_or_else(|| "-".to_owned())).join(" ");
        let columns = format!("{company} {} {} {measures}", id(campaign), at.timestamp_micros());
        self.rows.entry(format!("{what} {person}")).or_insert(columns);
    }
}

fn expected(documents: &[Value]) -> Evidence {
    let events = in_order(documents);
    let people = People::of(&events);
    let (matches, sessions) = (matches(&events, &people), sessions(&events, &people));
    let mut seen = BTreeSet::new();
    let mut first = |told: &Told| entity(told).is_none_or(|entity| seen.insert((told.event_type.clone(), entity)));
    let once: Vec<&Told> = events.iter().filter(|told| first(told)).collect();
    let mut ratings: BTreeMap<Uuid, Vec<Decimal>> = BTreeMap::new();
    for told in once.iter().filter(|told| told.is("kintell.rating.created")) {
        ratings.entry(told.id_of("sessionId")).or_default().push(told.number("rating", 6));
    }
    let mut ledger = Ledger { people: &people, rows: Evidence::new() };
    for told in &once {
        let side = |people: [Uuid; 2]| people[usize::from(told.text("fromRole") != "participant")];
        let rating = || Some(told.number("rating", 6).normalize().to_string());
        match told.event_type.as_str() {
            "kintell.session.completed" => {
                let pair = [told.id_of("participantId"), told.id_of("volunteerId")];
                let session = told.id_of("sessionId");
                let mean = ratings.get(&session).map(|all| all.iter().sum::<Decimal>() / Decimal::from(all.len()));
                let mean = mean.map(|mean| rounded(mean, 2).normalize().to_string());
                let minutes = Some(told.number("durationMinutes", 0).to_string());
                if people.know(&pair) {
                    let campaign = told.given_id("campaignId");
                    let what = format!("session kintell {session}");
                    ledger.add(&what, pair[0], told.time("completedAt"), campaign, [minutes, mean, None]);
                }
            }
            "kintell.rating.created" => {
                if let Some(session) = sessions.get(&told.id_of("sessionId")) {
                    let what = format!("feedback kintell {}", told.id_of("ratingId"));
                    let giver = side(session.people);
                    ledger.add(&what, giver, told.time("createdAt"), session.campaign, [None, rating(), None]);
                }
            }
            "buddy.feedback.submitted" => {
                if let Some(pair) = matches.get(&told.id_of("matchId")) {
                    let what = format!("feedback buddy {}", told.id_of("feedbackId"));
                    ledger.add(
                        &what,
                        side(pair.people),
                        told.time("submittedAt"),
                        pair.campaign,
                        [None, rating(), None],
                    );
                }
            }
            _ => {}
        }
    }
    milestones(&mut ledger, &events);
    quarters(&mut ledger, &once);
    ledger.rows
}

/// Of each milestone and person the earliest.
fn milestones(ledger: &mut Ledger<'_>, events: &[Told]) {
    let of = |event_type: &str, field: &'static str| {
        let mut all: Vec<&Told> = events.iter().filter(|told| told.is(event_type)).collect();
        all.retain(|told| ledger.people.know(&[told.id_of("userId")]));
        all.sort_by_key(|told| told.time(field)); // in the order of (timestamp, id) already
        all
    };
    let (reached, completed) =
        (of("buddy.milestone.reached", "reachedAt"), of("upskilling.course.completed", "completedAt"));
    for told in reached {
        let what = format!("milestone buddy {}", told.number("milestoneId", 0));
        let points = Some(told.number("points", 0).to_string());
        ledger.add(&what, told.id_of("userId"), told.time("reachedAt"), None, [None, None, points]);
    }
    for told in completed {
        let what = format!("milestone upskilling {}", told.id_of("progressId"));
        let campaign = told.given_id("campaignId");
        ledger.add(&what, told.id_of("userId"), told.time("completedAt"), campaign, [None, None, None]);
    }
}

/// Means of each person's scores in a quarter.
fn quarters(ledger: &mut Ledger<'_>, once: &[&Told]) {
    let mut quarters: BTreeMap<String, Vec<&Told>> = BTreeMap::new();
    for told in once.iter().filter(|told| told.is("q2q.outcome.scored")) {
        if let Some(person) = told.given_id("userId").filter(|person| ledger.people.know(&[*person])) {
            let quarter = name(start_of(told.time("scoredAt").date_naive()));
            quarters.entry(format!("{person} {quarter}")).or_default().push(told);
        }
    }
    let mean = |values: Vec<Decimal>| match values.len() {
        0 => "-".to_owned(),
        count => format!("{:.3}", rounded(values.iter().sum::<Decimal>() / Decimal::from(count), 3)),
    };
    for (key, scores) in quarters {
        let of = |dimensions: &[&str]| {
            let theirs = scores.iter().filter(|told| dimensions.contains(&told.text("dimension")));
            mean(theirs.map(|told| told.number("score", 3)).collect())
        };
        let sure = scores.iter().filter(|told| told.has("confidence")).map(|told| told.number("confidence", 3));
        let ids: BTreeSet<String> =
            scores.iter().map(|told| format!("{:?}", told.id_of("scoreId").to_string())).collect();
        let columns = [
            of(&["belonging", "well_being", "confidence"]),
            of(&["lang_level_proxy"]),
            of(&["job_readiness"]),
            mean(sure.collect()),
            format!("[{}]", ids.into_iter().collect::<Vec<_>>().join(", ")),
        ];
        ledger.rows.insert(key, columns.join(" "));
    }
}
