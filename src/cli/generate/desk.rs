//! What the platform's other services tell of themselves, for analytics alone: questions and reports, and journeys as an
//! older service sees them.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::{Kind, one_of};
use super::pools::Pools;
use super::sheet::Sheet;
use super::world::{Record, SECOND, What, World};

/// How far a question has come.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Started,
    Completed,
    Failed,
    Rejected,
}

/// What is done to a report.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Cited,
    Redacted,
    Unproved,
}

/// Plans `left` events of questions, their cache, and reports.
pub(super) fn ask(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    let mut turn = 0;
    while left > 0 {
        let at = pools.moment(rng);
        let person = pools.volunteer(rng, at);
        let record = world.keep(Record { person, at });
        // All kinds in turn, so that a short log has them too.
        let work = |work| vec![(at, What::Report { record, work })];
        let end = |step| (at + SECOND, What::Query { record, step });
        let start = (at, What::Query { record, step: Step::Started });
        let acts = match turn % 7 {
            0 | 1 => vec![start, end(Step::Completed)],
            2 => vec![start, end(Step::Failed)],
            3 => vec![(at, What::Query { record, step: Step::Rejected }), (at + SECOND, What::Uncached(record))],
            4 => work(Work::Cited),
            5 => work(Work::Redacted),
            _ => work(Work::Unproved),
        };
        turn += 1;
        left -= world.push_acts(rng, person, &acts, left);
    }
}

/// Plans `left` events that another service tells of people's journeys.
pub(super) fn follow(world: &mut World, rng: &mut StdRng, pools: &Pools, left: usize) {
    for number in 0..left {
        let at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        world.push(rng, at, if number % 2 == 0 { What::Journey(person) } else { What::Profile(person) });
    }
}

fn put_company(world: &World, number: u32, sheet: &mut Sheet) {
    let Record { person, .. } = world.records[number as usize];
    let company = world.people[person as usize].company;
    sheet.put_id("companyId", world.chance.id(Kind::Company, company));
}

pub(super) fn query(world: &World, number: u32, step: Step, sheet: &mut Sheet) {
    put_company(world, number, sheet);
    sheet.put_id("queryId", world.chance.id(Kind::Record, number));
    match step {
        Step::Started => sheet.maybe("channel", 0.5, |_| "dashboard"),
        Step::Completed => sheet.put("cached", false),
        Step::Failed => sheet.put("error", "timeout"),
        Step::Rejected => sheet.put("reason", "out_of_scope"),
    }
}

pub(super) fn uncached(world: &World, number: u32, sheet: &mut Sheet) {
    put_company(world, number, sheet);
}

pub(super) fn report(world: &World, number: u32, sheet: &mut Sheet) {
    put_company(world, number, sheet);
    sheet.put_id("reportId", world.chance.id(Kind::Record, number));
    sheet.maybe("section", 0.5, |rng| rng.random_range(1..9));
}

pub(super) fn journey(world: &World, person: u32, sheet: &mut Sheet) {
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    let milestone = one_of(&mut sheet.rng, &["job_ready", "course_completed", "first_language_session"]);
    sheet.put("milestone", milestone);
    sheet.put_moment("reachedAt");
    sheet.maybe("previousMilestone", 0.3, |_| "buddy_matched");
}

pub(super) fn profile(world: &World, person: u32, sheet: &mut Sheet) {
    sheet.put_id("userId", world.chance.id(Kind::Person, person));
    sheet.put("updatedFields", vec!["preferences"]);
    sheet.put_moment("updatedAt");
    sheet.maybe("trigger", 0.5, |_| "settings_page");
}
