//! What each type says: the `data` of gatherings, skill shares and milestones; the others have files of their own.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::chance::{Kind, one_of};
use super::desk::{Step, Work};
use super::sheet::{Sheet, share_of_one};
use super::words::{GATHERINGS, MILESTONES, NOTES, PLACES, SKILLS, TAGS};
use super::world::{DAY, Event, HOUR, MINUTE, Micros, What, World};
use super::{care, course, desk, giving, identity, lesson, offer, pairing, report, score};

const FORMATS: [&str; 3] = ["in-person", "online", "hybrid"];

/// The type of an event.
pub(super) fn kind(what: What) -> &'static str {
    match what {
        What::Company { .. } => "company.synced",
        What::External(_) => "external.user.synced",
        What::Directory(_) => "ingest.directory.synced",
        What::Matched(_) => "buddy.match.created",
        What::Ended(_) => "buddy.match.ended",
        What::Logged(_) => "buddy.event.logged",
        What::Attended { .. } => "buddy.event.attended",
        What::SkillShare { .. } => "buddy.skill_share.completed",
        What::CheckIn(_) => "buddy.checkin.completed",
        What::Feedback { .. } => "buddy.feedback.submitted",
        What::Milestone { .. } => "buddy.milestone.reached",
        What::Import => "buddy.import.batch",
        What::Scheduled { .. } => "kintell.session.scheduled",
        What::Held(_) => "kintell.session.completed",
        What::Rated { .. } => "kintell.rating.created",
        What::Progress { .. } => "upskilling.progress.updated",
        What::CourseDone(_) => "upskilling.course.completed",
        What::Credential(_) => "upskilling.credential.issued",
        What::Scored { .. } => "q2q.outcome.scored",
        What::Enrolled { .. } => "ingest.enrollment.created",
        What::Volunteered { .. } => "ingest.volunteer.logged",
        What::VolunteeredElsewhere { .. } => "external.volunteer.logged",
        What::Program { .. } => "program.synced",
        What::Campaign { .. } => "program.campaign.synced",
        What::Donated { .. } => "ingest.donation.made",
        What::DonatedElsewhere { .. } => "external.donation.made",
        What::Placed { .. } => "ingest.placement.created",
        What::Raised(_) => "safety.flag.raised",
        What::Reviewed { .. } => "safety.review.completed",
        What::Consent { .. } => "privacy.consent.changed",
        What::Asked(_) => "privacy.request.opened",
        What::Answered(_) => "privacy.request.completed",
        What::Query { step, .. } => match step {
            Step::Started => "nlq.query.started",
            Step::Completed => "nlq.query.completed",
            Step::Failed => "nlq.query.failed",
            Step::Rejected => "nlq.query.rejected",
        },
        What::Uncached(_) => "nlq.cache.invalidated",
        What::Report { work, .. } => match work {
            Work::Cited => "reporting.citation.edited",
            Work::Redacted => "reporting.redaction.completed",
            Work::Unproved => "reporting.evidence_gate.violation",
        },
        What::Journey(_) => "orchestration.journey.milestone.reached",
        What::Profile(_) => "orchestration.profile.updated",
    }
}

/// The field that names the entity which an event makes, where nothing else names it.
fn made(what: What) -> Option<&'static str> {
    match what {
        What::Logged(_) => Some("eventId"),
        What::SkillShare { .. } => Some("sessionId"),
        What::CheckIn(_) => Some("checkinId"),
        What::Feedback { .. } => Some("feedbackId"),
        What::Import => Some("batchId"),
        What::Rated { .. } => Some("ratingId"),
        What::Credential(_) => Some("credentialId"),
        What::Scored { .. } => Some("scoreId"),
        What::Reviewed { .. } => Some("reviewId"),
        _ => None,
    }
}

/// Writes the contents of an event.
pub(super) fn fill(world: &World, event: &Event, sheet: &mut Sheet) {
    if let Some(key) = made(event.what) {
        // Such an entity is made by one event, so the number of its contents is the entity's as well.
        sheet.put_id(key, world.chance.id(Kind::Entity, event.contents));
    }
    match event.what {
        What::Company { company } => identity::company(world, company, sheet),
        What::External(snapshot) => identity::external(world, snapshot, sheet),
        What::Directory(snapshot) => identity::directory(world, snapshot, sheet),
        What::Matched(pairing) => pairing::matched(world, pairing, sheet),
        What::Ended(pairing) => pairing::ended(world, pairing, sheet),
        What::Logged(pairing) => pairing::logged(world, pairing, sheet),
        What::Attended { gathering, person, pairing } => attended(world, gathering, person, pairing, sheet),
        What::SkillShare { teacher, learner, pairing } => skill_share(world, teacher, learner, pairing, sheet),
        What::CheckIn(pairing) => pairing::checkin(world, pairing, sheet),
        What::Feedback { pairing, by_buddy } => pairing::feedback(world, pairing, by_buddy, sheet),
        What::Milestone { person, step } => milestone(world, person, step, sheet),
        What::Import => import(sheet),
        What::Scheduled { lesson, shift } => lesson::scheduled(world, lesson, shift, sheet),
        What::Held(lesson) => lesson::held(world, lesson, sheet),
        What::Rated { lesson, by_volunteer } => lesson::rated(world, lesson, by_volunteer, sheet),
        What::Progress { study, percent, status } => course::progress(world, study, percent, status, sheet),
        What::CourseDone(study) => course::done(world, study, sheet),
        What::Credential(study) => course::credential(world, study, sheet),
        What::Scored { text, person, dimension } => score::scored(world, text, person, dimension, sheet),
        What::Enrolled { enrolment, stage } => report::enrolled(world, enrolment, stage, sheet),
        What::Volunteered { deed, corrected } => report::volunteered(world, deed, corrected, sheet),
        What::VolunteeredElsewhere { deed, corrected } => report::volunteered_elsewhere(world, deed, corrected, sheet),
        What::Program { program, version } => offer::program(world, program, version, sheet),
        What::Campaign { campaign, version } => offer::campaign(world, campaign, version, sheet),
        What::Donated { record, corrected } => giving::donated(world, record, corrected, sheet),
        What::DonatedElsewhere { record, corrected } => giving::donated_elsewhere(world, record, corrected, sheet),
        What::Placed { record, standing } => giving::placed(world, record, standing, sheet),
        What::Raised(flag) => care::raised(world, flag, sheet),
        What::Reviewed { flag, reviewer, again } => care::reviewed(world, flag, reviewer, again, sheet),
        What::Consent { record, answer } => care::consented(world, record, answer, sheet),
        What::Asked(record) => care::requested(world, record, "openedAt", sheet),
        What::Answered(record) => care::requested(world, record, "completedAt", sheet),
        What::Query { record, step } => desk::query(world, record, step, sheet),
        What::Uncached(record) => desk::uncached(world, record, sheet),
        What::Report { record, .. } => desk::report(world, record, sheet),
        What::Journey(person) => desk::journey(world, person, sheet),
        What::Profile(person) => desk::profile(world, person, sheet),
    }
}

/// Programme, campaign and group, where the publisher knows them: those of somebody's company.
pub(super) fn put_program(world: &World, person: u32, sheet: &mut Sheet) {
    let program = world.people[person as usize].company;
    let campaign = program * offer::CAMPAIGNS + sheet.rng.random_range(0..offer::CAMPAIGNS);
    let group = sheet.rng.random_range(0..offer::GROUPS);
    for (key, share, kind, number) in [
        ("programId", 0.8, Kind::Program, program),
        ("campaignId", 0.5, Kind::Campaign, campaign),
        ("beneficiaryGroupId", 0.3, Kind::Group, group),
    ] {
        let id = sheet.rng.random_bool(share).then(|| world.chance.id(kind, number));
        sheet.put_id_if_any(key, id);
    }
}

/// All guests of a gathering hear the same title, type and format.
fn attended(world: &World, gathering: u32, person: u32, pairing: Option<u32>, sheet: &mut Sheet) {
    let mut shared = world.chance.rng(Kind::Gathering, gathering);
    let (title, kind) = one_of(&mut shared, &GATHERINGS);
    sheet.put_id("eventId", world.chance.id(Kind::Gathering, gathering));
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    let pairing = pairing.map(|pairing| world.chance.id(Kind::Match, pairing));
    sheet.put_id_if_any("matchId", pairing);
    sheet.put("eventTitle", title);
    sheet.put("eventType", kind);
    sheet.put("eventFormat", one_of(&mut shared, &FORMATS));
    sheet.put_moment("attendedAt");
    sheet.maybe("location", 0.6, |_| one_of(&mut shared, &PLACES));
    sheet.maybe("durationMinutes", 0.8, |rng| rng.random_range(2..13) * 15);
    sheet.maybe("attendeeCount", 0.6, |rng| rng.random_range(2..60));
    sheet.maybe("organizer", 0.3, |_| "Volunteer office");
    sheet.maybe("categories", 0.4, |rng| some_of(rng, &TAGS));
    sheet.maybe("sdgGoals", 0.4, goals);
}

fn skill_share(world: &World, teacher: u32, learner: u32, pairing: Option<u32>, sheet: &mut Sheet) {
    let skill = sheet.rng.random_range(0..SKILLS.len());
    let (name, category) = SKILLS[skill];
    sheet.put("skillId", skill + 1);
    sheet.put("skillName", name);
    sheet.maybe("skillCategory", 0.7, |_| category);
    sheet.put_id("teacherId", world.chance.id(Kind::Person, teacher));
    sheet.put_id("learnerId", world.chance.id(Kind::Person, learner));
    sheet.put_id_if_any("matchId", pairing.map(|pairing| world.chance.id(Kind::Match, pairing)));
    let completed_at = sheet.put_moment("completedAt");
    put_scheduled(sheet, completed_at);
    sheet.maybe("durationMinutes", 0.9, |rng| rng.random_range(1..9) * 15);
    if pairing.is_some() {
        sheet.put("format", "online");
    } else {
        sheet.maybe("format", 0.9, |_| "in-person");
    }
    sheet.maybe("proficiencyLevel", 0.6, |rng| one_of(rng, &["beginner", "intermediate", "advanced"]));
    sheet.maybe("feedback", 0.6, skill_feedback);
    sheet.maybe("sdgGoals", 0.3, goals);
    sheet.maybe("valuationPoints", 0.4, |rng| rng.random_range(1..20) * 5);
}

fn put_scheduled(sheet: &mut Sheet, completed_at: Micros) {
    let pen = sheet.pen;
    sheet.maybe("scheduledAt", 0.5, |rng| {
        let before = rng.random_range(HOUR..21 * DAY) / (15 * MINUTE) * (15 * MINUTE);
        pen.time(completed_at - before)
    });
}

fn skill_feedback(rng: &mut StdRng) -> Value {
    const PROGRESS: [&str; 4] = ["no-progress", "some-progress", "good-progress", "excellent-progress"];
    let mut feedback = json!({"teacherRating": share_of_one(rng, 40)});
    if rng.random_bool(0.7) {
        feedback["learnerRating"] = json!(share_of_one(rng, 30));
    }
    if rng.random_bool(0.3) {
        feedback["learnerComment"] = json!(one_of(rng, &NOTES));
    }
    if rng.random_bool(0.2) {
        feedback["teacherComment"] = json!(one_of(rng, &NOTES));
    }
    if rng.random_bool(0.5) {
        feedback["learnerProgress"] = json!(one_of(rng, &PROGRESS));
    }
    feedback
}

fn milestone(world: &World, person: u32, step: u32, sheet: &mut Sheet) {
    let surplus = format!("Community hour {step}");
    let (title, category, points, badge) =
        MILESTONES.get(step as usize).copied().unwrap_or((&surplus, "community", 5, "badge-hour"));
    sheet.put("milestoneId", step + 1);
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put("milestoneTitle", title);
    sheet.put("milestoneCategory", category);
    sheet.put_moment("reachedAt");
    sheet.put("points", points);
    sheet.maybe("badgeIcon", 0.7, |_| badge);
    sheet.maybe("targetRole", 0.4, |_| "all");
    sheet.maybe("progress", 0.3, |_| json!({"currentStep": step + 1, "completedSteps": ["read", "done"]}));
    sheet.maybe("metadata", 0.3, |rng| json!({"isFirstTime": step == 0, "streakCount": rng.random_range(1..10)}));
}

fn import(sheet: &mut Sheet) {
    let digest: [u64; 4] = sheet.rng.random();
    let digest: String = digest.iter().map(|part| format!("{part:016x}")).collect();
    let rows = sheet.rng.random_range(0..5_000);
    sheet.put("entity", "checkins");
    sheet.put("source", "legacy-buddy.csv");
    sheet.put("sha256", digest);
    sheet.put("rowCount", rows);
    sheet.put_moment("importedAt");
}

/// One to three of a list, in its order.
pub(super) fn some_of(rng: &mut StdRng, list: &[&'static str]) -> Vec<&'static str> {
    let first = rng.random_range(0..list.len());
    let count = rng.random_range(1..4);
    list.iter().skip(first).take(count).copied().collect()
}

pub(super) fn goals(rng: &mut StdRng) -> Vec<u32> {
    let first = rng.random_range(1..=17);
    if rng.random_bool(0.5) { vec![first] } else { vec![first, first % 17 + 1] }
}
