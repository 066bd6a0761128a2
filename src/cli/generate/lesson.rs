//! Language and mentorship sessions: how a series of lessons comes about, is moved, held and rated, and its `data`.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::{Kind, one_of};
use super::payload::{put_program, some_of};
use super::pools::Pools;
use super::sheet::Sheet;
use super::words::{NOTES, TOPICS};
use super::world::{DAY, END, HOUR, MINUTE, Micros, What, World};

const QUARTER: Micros = 15 * MINUTE;

/// A session of two people, as it is finally planned.
pub(super) struct Lesson {
    participant: u32,
    volunteer: u32,
    at: Micros,
    minutes: u16,
    is_mentorship: bool,
}

/// Plans `left` events of series of lessons, each of two people, about one a week.
pub(super) fn teach(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    while left > 0 {
        let begin = pools.early_moment(rng);
        let (participant, volunteer) = (pools.participant(rng, begin), pools.volunteer(rng, begin));
        let is_mentorship = rng.random_bool(0.3);
        let mut at = begin + rng.random_range(2 * DAY..9 * DAY);
        for _ in 0..rng.random_range(2..=10) {
            let minutes = rng.random_range(2..7) * 15;
            let lesson = Lesson { participant, volunteer, at: at / QUARTER * QUARTER, minutes, is_mentorship };
            let acts = acts(rng, world.lessons.len() as u32, &lesson, begin);
            world.lessons.push(lesson);
            left -= world.push_acts(rng, participant, &acts, left);
            at += rng.random_range(3 * DAY..11 * DAY);
            if left == 0 || at > END - 3 * DAY || !world.is_awake(participant, at) {
                break;
            }
        }
    }
}

/// What happens to a lesson, causes first: some are moved, some are not held, some nobody had announced.
fn acts(rng: &mut StdRng, number: u32, lesson: &Lesson, begin: Micros) -> Vec<(Micros, What)> {
    let mut acts = Vec::with_capacity(5);
    let is_announced = rng.random_bool(0.85);
    if is_announced {
        let mut at = rng.random_range(begin..lesson.at - 26 * HOUR);
        if rng.random_bool(0.15) {
            let shift = one_of(rng, &[-24, -2, -1, 1, 24, 48, 72]);
            acts.push((at, What::Scheduled { lesson: number, shift }));
            at = rng.random_range(at + HOUR..lesson.at - HOUR);
        }
        acts.push((at, What::Scheduled { lesson: number, shift: 0 }));
    }
    let over = lesson.at + Micros::from(lesson.minutes) * MINUTE;
    let held_at = over + rng.random_range(6 * MINUTE..3 * HOUR);
    let is_held = !is_announced || rng.random_bool(0.85);
    if is_held {
        acts.push((held_at, What::Held(number)));
    }
    for (by_volunteer, share) in [(false, 0.6), (true, 0.4)] {
        // Nobody came, and yet somebody has an opinion.
        if !rng.random_bool(if is_held { share } else { 0.04 }) {
            continue;
        }
        let is_hasty = is_announced && rng.random_bool(0.15);
        let at = if is_hasty { rng.random_range(lesson.at + 6 * MINUTE..over) } else { held_at + after_a_while(rng) };
        acts.push((at, What::Rated { lesson: number, by_volunteer }));
    }
    acts
}

fn after_a_while(rng: &mut StdRng) -> Micros {
    let limit = one_of(rng, &[HOUR, DAY, 2 * DAY]);
    rng.random_range(2 * MINUTE..limit)
}

fn put_people(world: &World, number: u32, sheet: &mut Sheet) {
    let lesson = &world.lessons[number as usize];
    sheet.put_id("sessionId", world.chance.id(Kind::Lesson, number));
    // The publisher's own number, which it does not always tell.
    sheet.maybe("externalSessionId", 0.6, |_| format!("KS-{:07}", number + 1));
    sheet.put("sessionType", if lesson.is_mentorship { "mentorship" } else { "language" });
    sheet.put_id("participantId", world.chance.id(Kind::Person, lesson.participant));
    sheet.put_id("volunteerId", world.chance.id(Kind::Person, lesson.volunteer));
}

pub(super) fn scheduled(world: &World, number: u32, shift: i32, sheet: &mut Sheet) {
    put_people(world, number, sheet);
    sheet.put_time("scheduledAt", world.lessons[number as usize].at + Micros::from(shift) * HOUR);
}

pub(super) fn held(world: &World, number: u32, sheet: &mut Sheet) {
    let lesson = &world.lessons[number as usize];
    put_people(world, number, sheet);
    sheet.put_time("scheduledAt", lesson.at);
    sheet.put_moment("completedAt");
    sheet.put("durationMinutes", lesson.minutes);
    sheet.maybe("topics", 0.6, |rng| some_of(rng, &TOPICS));
    let share = if lesson.is_mentorship { 0.05 } else { 0.85 };
    sheet.maybe("languageLevel", share, |rng| level(world, lesson, rng));
    put_program(world, lesson.volunteer, sheet);
}

/// Everybody learns at their own pace; teachers err, and spell as they like.
fn level(world: &World, lesson: &Lesson, rng: &mut StdRng) -> String {
    const LEVELS: [&str; 6] = ["A1", "A2", "B1", "B2", "C1", "C2"];
    let dice = world.chance.number(Kind::Person, lesson.participant) >> 40;
    let pace = (40 + (dice >> 2) % 100) as Micros * DAY;
    let start = (dice % 4) as usize;
    let risen = ((lesson.at - world.people[lesson.participant as usize].known_at) / pace) as usize;
    let level = (start + risen).min(LEVELS.len() - 1);
    match rng.random_range(0..20) {
        0 => one_of(rng, &["beginner", "A1+", "B1/B2", "native", "A 2"]).to_owned(),
        1 | 2 => LEVELS[level.saturating_sub(1)].to_owned(),
        3 | 4 => LEVELS[level].to_ascii_lowercase(),
        _ => LEVELS[level].to_owned(),
    }
}

pub(super) fn rated(world: &World, number: u32, by_volunteer: bool, sheet: &mut Sheet) {
    sheet.put_id("sessionId", world.chance.id(Kind::Lesson, number));
    sheet.put("fromRole", if by_volunteer { "volunteer" } else { "participant" });
    // Around 0.80, where a mentor is ready or not, and often right on it.
    let hundredths = if sheet.rng.random_bool(0.7) {
        one_of(&mut sheet.rng, &[70, 75, 80, 80, 85, 90])
    } else {
        sheet.rng.random_range(60..=100)
    };
    sheet.put("rating", f64::from(hundredths) / 100.0);
    sheet.maybe("feedbackText", 0.5, |rng| one_of(rng, &NOTES));
    sheet.put_moment("createdAt");
}
