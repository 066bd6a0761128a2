//! What other platforms report: enrolments, told again as they go on, and volunteering, at times with corrected hours.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::chance::{Kind, one_of};
use super::identity::external_number;
use super::payload::goals;
use super::pools::Pools;
use super::sheet::Sheet;
use super::words::{DEEDS, NONPROFITS, OFFERS};
use super::world::{DAY, HOUR, MINUTE, Micros, What, World};

/// Somebody in a programme of another platform.
pub(super) struct Enrolment {
    person: u32,
    /// The enrolment itself, before anybody reported it.
    at: Micros,
}

/// How far an enrolment has come.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    Enrolled,
    InProgress,
    Completed,
    Withdrawn,
    Failed,
}

/// Voluntary work outside of what the platform organises.
pub(super) struct Deed {
    person: u32,
    at: Micros,
}

/// Which contract a deed is reported by.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Ingest,
    External,
}

/// Plans `left` reports of enrolments.
pub(super) fn enrol(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let mut at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        let enrolment = world.enrolments.len() as u32;
        world.enrolments.push(Enrolment { person, at: at - rng.random_range(MINUTE..5 * DAY) });
        let mut acts = Vec::with_capacity(3);
        let mut tell = |at, stage| acts.push((at, What::Enrolled { enrolment, stage }));
        if rng.random_bool(0.9) {
            tell(at, Stage::Enrolled);
            at += rng.random_range(DAY..30 * DAY);
        }
        if rng.random_bool(0.6) {
            tell(at, Stage::InProgress);
            at += rng.random_range(10 * DAY..100 * DAY);
        }
        if rng.random_bool(0.6) {
            let end = one_of(rng, &[Stage::Completed, Stage::Completed, Stage::Withdrawn, Stage::Failed]);
            tell(at, end);
        }
        left -= world.push_acts(rng, person, &acts, left);
    }
}

/// Plans `left` reports of volunteering.
pub(super) fn volunteer(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize, form: Form) {
    while left > 0 {
        let at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        let deed = world.deeds.len() as u32;
        world.deeds.push(Deed { person, at: at - rng.random_range(MINUTE..10 * DAY) });
        let report = |corrected| match form {
            Form::Ingest => What::Volunteered { deed, corrected },
            Form::External => What::VolunteeredElsewhere { deed, corrected },
        };
        let mut acts = vec![(at, report(false))];
        if rng.random_bool(0.15) {
            acts.push((at + rng.random_range(HOUR..20 * DAY), report(true)));
        }
        left -= world.push_acts(rng, person, &acts, left);
    }
}

pub(super) fn enrolled(world: &World, number: u32, stage: Stage, sheet: &mut Sheet) {
    let enrolment = &world.enrolments[number as usize];
    // Every report of an enrolment is of the same programme.
    let mut shared = world.chance.rng(Kind::Enrolment, number);
    let (system, kind, id, name) = one_of(&mut shared, &OFFERS);
    sheet.put("sourceSystem", system);
    sheet.put("sourceId", format!("{system}-enr-{number}"));
    put_person(world, enrolment.person, sheet);
    sheet.put("programType", kind);
    sheet.put("programId", id);
    sheet.put("programName", name);
    sheet.put_time("enrollmentDate", enrolment.at);
    let status = match stage {
        Stage::Enrolled => "enrolled",
        Stage::InProgress => "in_progress",
        Stage::Completed => "completed",
        Stage::Withdrawn => "withdrawn",
        Stage::Failed => "failed",
    };
    sheet.put("status", status);
    if stage == Stage::Completed {
        sheet.put_moment("completionDate");
        sheet.put("completionPercentage", 100);
        sheet.maybe("outcome", 0.5, |rng| json!({"passed": true, "grade": one_of(rng, &["A", "B", "C"])}));
    } else if stage != Stage::Enrolled {
        sheet.maybe("completionPercentage", 0.6, |rng| rng.random_range(5..90));
        sheet.maybe("hoursCompleted", 0.6, |rng| f64::from(rng.random_range(1..160)) / 4.0);
    }
    sheet.maybe("estimatedHours", 0.4, |_| 40);
    sheet.maybe("sdgGoals", 0.3, goals);
    sheet.maybe("cohortId", 0.3, |_| format!("cohort-{}", shared.random_range(1..9)));
}

fn put_person(world: &World, person: u32, sheet: &mut Sheet) {
    let company = world.people[person as usize].company;
    sheet.maybe("sourceTenantId", 0.8, |_| format!("tenant-{company}"));
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
}

/// Hours of a deed, by quarters; a correction tells others than before.
fn hours(shared: &mut StdRng, corrected: bool) -> f64 {
    let quarters = shared.random_range(1..=32);
    let correction = if corrected { one_of(shared, &[-1, 1, 2, 4]) } else { 0 };
    // Never down to nothing, which the older contract would refuse.
    let corrected = if quarters + correction > 0 { quarters + correction } else { quarters + 1 };
    f64::from(corrected) / 4.0
}

pub(super) fn volunteered(world: &World, number: u32, corrected: bool, sheet: &mut Sheet) {
    let deed = &world.deeds[number as usize];
    let mut shared = world.chance.rng(Kind::Deed, number);
    let system = one_of(&mut shared, &["benevity", "goodera", "workday", "manual"]);
    let (name, kind, _, cause) = one_of(&mut shared, &DEEDS);
    let nonprofit = one_of(&mut shared, &NONPROFITS);
    let company = world.people[deed.person as usize].company;
    sheet.put("sourceSystem", system);
    sheet.put("sourceId", format!("{system}-vol-{number}"));
    sheet.put("sourceTenantId", format!("tenant-{company}"));
    sheet.put_id("userId", world.chance.id(Kind::Person, deed.person));
    sheet.put("externalUserId", external_number(world, system, deed.person));
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
    sheet.put("activityName", name);
    sheet.put("activityType", kind);
    sheet.put("hoursLogged", hours(&mut shared, corrected));
    sheet.put_time("activityDate", deed.at);
    sheet.maybe("nonprofitName", 0.7, |_| nonprofit);
    sheet.maybe("causeArea", 0.6, |_| cause);
    sheet.maybe("sdgGoals", 0.3, goals);
    // Who corrects has looked.
    if corrected {
        sheet.put("verified", true);
        sheet.put_moment("verifiedAt");
    } else {
        sheet.maybe("verified", 0.5, |rng| rng.random_bool(0.4));
    }
    sheet.maybe("tags", 0.2, |_| vec!["team day"]);
    sheet.maybe("location", 0.2, |_| json!({"city": "Bergen"}));
}

pub(super) fn volunteered_elsewhere(world: &World, number: u32, corrected: bool, sheet: &mut Sheet) {
    let deed = &world.deeds[number as usize];
    let mut shared = world.chance.rng(Kind::Deed, number);
    let source = one_of(&mut shared, &["benevity", "goodera", "workday"]);
    let (name, _, kind, _) = one_of(&mut shared, &DEEDS);
    let company = world.people[deed.person as usize].company;
    sheet.put("externalId", format!("{source}-{number}"));
    sheet.put("source", source);
    sheet.put_id("userId", world.chance.id(Kind::Person, deed.person));
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
    sheet.put("activityName", name);
    sheet.put("activityType", kind);
    sheet.put("hours", hours(&mut shared, corrected));
    sheet.put_time("activityDate", deed.at);
}
