//! Courses of learning providers: how people get through them or do not, and the `data` of it.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::{Kind, one_of};
use super::payload::put_program;
use super::pools::Pools;
use super::sheet::Sheet;
use super::words::COURSES;
use super::world::{DAY, END, HOUR, MINUTE, Micros, What, World};

/// Somebody in a course.
pub(super) struct Study {
    person: u32,
    course: u32,
}

/// As a provider names it.
#[derive(Clone, Copy)]
pub(super) enum Status {
    Enrolled,
    InProgress,
    Completed,
    Dropped,
}

/// Plans `left` events of learners, each with one course or several, one after the other or at the same time.
pub(super) fn learn(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let mut at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        let first_course = rng.random_range(0..COURSES.len() as u32);
        for turn in 0..rng.random_range(1..=4) {
            let study = world.studies.len() as u32;
            world.studies.push(Study { person, course: (first_course + turn) % COURSES.len() as u32 });
            let acts = acts(rng, study, at);
            left -= world.push_acts(rng, person, &acts, left);
            at += rng.random_range(3 * DAY..60 * DAY);
            if left == 0 || at >= END || !world.is_awake(person, at) {
                break;
            }
        }
    }
}

/// What happens in a course. Not every provider tells of progress, and some tell of nothing but the paper at the end.
fn acts(rng: &mut StdRng, study: u32, begin: Micros) -> Vec<(Micros, What)> {
    let mut acts = Vec::with_capacity(8);
    let is_done = match rng.random_range(0..100) {
        0..7 => {
            acts.push((begin, What::Credential(study)));
            return acts;
        }
        7..16 => true,
        _ => make_progress(rng, study, begin, &mut acts),
    };
    if is_done {
        finish(rng, study, begin, &mut acts);
    }
    acts
}

/// From the enrolment to wherever it leads; gives whether that is the end of the course.
fn make_progress(rng: &mut StdRng, study: u32, begin: Micros, acts: &mut Vec<(Micros, What)>) -> bool {
    let mut at = begin;
    let mut percent = 0;
    let mut tell = |at, percent, status| acts.push((at, What::Progress { study, percent, status }));
    tell(at, percent, Status::Enrolled);
    for _ in 0..rng.random_range(1..=4) {
        at += rng.random_range(DAY..20 * DAY);
        percent += rng.random_range(5..25);
        tell(at, percent, Status::InProgress);
    }
    at += rng.random_range(DAY..20 * DAY);
    match rng.random_range(0..100) {
        0..55 => {
            if rng.random_bool(0.75) {
                tell(at, 100, Status::Completed);
            }
            true
        }
        55..75 => {
            tell(at, percent, Status::Dropped);
            if rng.random_bool(0.2) {
                // Second thoughts.
                tell(at + rng.random_range(5 * DAY..40 * DAY), percent, Status::InProgress);
            }
            false
        }
        _ => false,
    }
}

/// The completion, which need not be told where the progress says as much, and often a credential.
fn finish(rng: &mut StdRng, study: u32, begin: Micros, acts: &mut Vec<(Micros, What)>) {
    let mut at = acts.last().map_or(begin, |(at, _)| at + rng.random_range(10 * MINUTE..DAY));
    let is_told = matches!(acts.last(), Some((_, What::Progress { status: Status::Completed, .. })));
    if !is_told || rng.random_bool(0.85) {
        acts.push((at, What::CourseDone(study)));
    }
    if rng.random_bool(0.65) {
        at += rng.random_range(HOUR..6 * DAY);
        acts.push((at, What::Credential(study)));
    }
}

fn put_course(world: &World, number: u32, sheet: &mut Sheet) {
    let study = &world.studies[number as usize];
    let (provider, course, name) = COURSES[study.course as usize];
    sheet.put_id("userId", world.chance.id(Kind::Person, study.person));
    sheet.put("provider", provider);
    sheet.put("courseId", course);
    sheet.put("courseName", name);
}

pub(super) fn progress(world: &World, number: u32, percent: u8, status: Status, sheet: &mut Sheet) {
    sheet.put_id("progressId", world.chance.id(Kind::Study, number));
    put_course(world, number, sheet);
    sheet.put("progressPercent", percent);
    let status = match status {
        Status::Enrolled => "enrolled",
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Dropped => "dropped",
    };
    sheet.put("status", status);
    sheet.put_moment("updatedAt");
}

pub(super) fn done(world: &World, number: u32, sheet: &mut Sheet) {
    sheet.put_id("progressId", world.chance.id(Kind::Study, number));
    put_course(world, number, sheet);
    sheet.put_moment("completedAt");
    sheet.maybe("finalScore", 0.7, |rng| f64::from(rng.random_range(100..=200)) / 2.0);
    sheet.maybe("credentialRef", 0.3, |rng| format!("REF-{:08}", rng.random_range(0..100_000_000)));
    put_program(world, world.studies[number as usize].person, sheet);
}

pub(super) fn credential(world: &World, number: u32, sheet: &mut Sheet) {
    put_course(world, number, sheet);
    let kind = one_of(&mut sheet.rng, &["certificate", "certificate", "badge", "diploma", "transcript"]);
    sheet.put("credentialType", kind);
    let issued_at = sheet.put_moment("issuedAt");
    let pen = sheet.pen;
    sheet.maybe("expiresAt", 0.3, |rng| pen.time(issued_at + rng.random_range(1..4) * 365 * DAY));
    let code: u32 = sheet.rng.random();
    sheet.maybe("credentialUrl", 0.6, |_| format!("https://credentials.example/verify/{code:08x}"));
    sheet.maybe("verificationCode", 0.5, |_| format!("{code:08X}"));
}
