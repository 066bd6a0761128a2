//! What people give and where they get to: donations and placements, as other platforms report them.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::chance::{Kind, one_of};
use super::identity::external_number;
use super::payload::goals;
use super::pools::Pools;
use super::report::Form;
use super::sheet::Sheet;
use super::words::{DEEDS, NONPROFITS};
use super::world::{DAY, HOUR, MINUTE, Micros, Record, What, World};

/// How a placement is doing.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    Active,
    OnHold,
    Completed,
    Terminated,
}

/// Plans `left` reports of donations.
pub(super) fn give(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize, form: Form) {
    while left > 0 {
        let at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        let record = world.keep(Record { person, at: at - rng.random_range(MINUTE..3 * DAY) });
        let report = |corrected| match form {
            Form::Ingest => What::Donated { record, corrected },
            Form::External => What::DonatedElsewhere { record, corrected },
        };
        let mut acts = vec![(at, report(false))];
        if rng.random_bool(0.1) {
            acts.push((at + rng.random_range(HOUR..20 * DAY), report(true)));
        }
        left -= world.push_acts(rng, person, &acts, left);
    }
}

/// Plans `left` reports of placements, told anew as they go on.
pub(super) fn place(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let mut at = pools.moment(rng);
        let person = pools.participant(rng, at);
        let record = world.keep(Record { person, at: at - rng.random_range(MINUTE..5 * DAY) });
        let mut acts = vec![(at, What::Placed { record, standing: Standing::Active })];
        if rng.random_bool(0.2) {
            at += rng.random_range(5 * DAY..40 * DAY);
            acts.push((at, What::Placed { record, standing: Standing::OnHold }));
        }
        if rng.random_bool(0.5) {
            at += rng.random_range(20 * DAY..120 * DAY);
            acts.push((
                at,
                What::Placed { record, standing: one_of(rng, &[Standing::Completed, Standing::Terminated]) },
            ));
        }
        left -= world.push_acts(rng, person, &acts, left);
    }
}

/// In cents, so that sums are exact; a correction tells another amount.
fn amount(shared: &mut StdRng, corrected: bool) -> f64 {
    let cents: u32 = shared.random_range(500..50_000);
    f64::from(if corrected { cents + 100 } else { cents }) / 100.0
}

fn put_person(world: &World, person: u32, sheet: &mut Sheet) {
    let company = world.people[person as usize].company;
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
}

pub(super) fn donated(world: &World, number: u32, corrected: bool, sheet: &mut Sheet) {
    let Record { person, at } = world.records[number as usize];
    let mut shared = world.chance.rng(Kind::Record, number);
    let system = one_of(&mut shared, &["benevity", "goodera", "workday", "manual"]);
    let kinds = ["one_time", "one_time", "recurring", "matching_gift", "payroll_deduction", "disaster_relief", "other"];
    sheet.put("sourceSystem", system);
    sheet.put("sourceId", format!("{system}-gift-{number}"));
    sheet.put("sourceTenantId", format!("tenant-{}", world.people[person as usize].company));
    put_person(world, person, sheet);
    sheet.put("externalUserId", external_number(world, system, person));
    sheet.put("donationType", one_of(&mut shared, &kinds));
    let amount = amount(&mut shared, corrected);
    sheet.put("amount", amount);
    sheet.put("currency", one_of(&mut shared, &["NOK", "USD", "EUR", "GBP"]));
    sheet.maybe("amountUSD", 0.3, |_| (amount * 10.0).round() / 100.0);
    sheet.put("nonprofitName", one_of(&mut shared, &NONPROFITS));
    let (.., cause) = one_of(&mut shared, &DEEDS);
    sheet.maybe("causeArea", 0.5, |_| cause);
    sheet.put_time("donationDate", at);
    sheet.maybe("companyMatch", 0.3, |_| json!({"matched": true, "matchAmount": amount, "matchRatio": 1}));
    sheet.maybe("sdgGoals", 0.3, goals);
    sheet.maybe("taxDeductible", 0.4, |rng| rng.random_bool(0.7));
    sheet.maybe("receiptNumber", 0.3, |_| format!("R-{number:06}"));
    sheet.maybe("tags", 0.2, |_| vec!["giving week"]);
    sheet.maybe("campaignId", 0.2, |_| "giving-week");
    sheet.maybe("campaignName", 0.2, |_| "Giving week");
}

pub(super) fn donated_elsewhere(world: &World, number: u32, corrected: bool, sheet: &mut Sheet) {
    let Record { person, at } = world.records[number as usize];
    let mut shared = world.chance.rng(Kind::Record, number);
    let source = one_of(&mut shared, &["benevity", "goodera", "workday"]);
    sheet.put("externalId", format!("{source}-gift-{number}"));
    sheet.put("source", source);
    put_person(world, person, sheet);
    sheet.put("amount", amount(&mut shared, corrected));
    sheet.maybe("currency", 0.6, |_| one_of(&mut shared, &["USD", "EUR"]));
    sheet.put_time("donationDate", at);
    sheet.put("nonprofitName", one_of(&mut shared, &NONPROFITS));
}

pub(super) fn placed(world: &World, number: u32, standing: Standing, sheet: &mut Sheet) {
    let Record { person, at } = world.records[number as usize];
    let mut shared = world.chance.rng(Kind::Record, number);
    let system = one_of(&mut shared, &["mentorship", "job_board", "manual"]);
    let kinds =
        ["mentorship_match", "job_placement", "job_placement", "internship", "apprenticeship", "volunteer_placement"];
    sheet.put("sourceSystem", system);
    sheet.put("sourceId", format!("{system}-place-{number}"));
    put_person(world, person, sheet);
    sheet.put("placementType", one_of(&mut shared, &kinds));
    sheet.put_time("placementDate", at);
    let status = match standing {
        Standing::Active => "active",
        Standing::OnHold => "on_hold",
        Standing::Completed => "completed",
        Standing::Terminated => "terminated",
    };
    sheet.put("status", status);
    let begins = at + Micros::from(shared.random_range(0..14_u8)) * DAY;
    let pen = sheet.pen;
    sheet.maybe("startDate", 0.7, |_| pen.time(begins));
    if matches!(standing, Standing::Completed | Standing::Terminated) {
        sheet.put_moment("endDate");
    }
    let mentor = shared.random_bool(0.5).then(|| world.chance.id(Kind::Person, person ^ 1));
    sheet.put_id_if_any("mentorId", mentor);
    if matches!(standing, Standing::Completed) {
        sheet.maybe("outcome", 0.6, |rng| json!({"successful": true, "rating": rng.random_range(1..=5)}));
    }
}
