//! What people do: matches, their lives and ends, gatherings, skill shares, milestones; how much of everything there is.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use super::chance::preferably;
use super::pools::{MARGIN, Pools};
use super::world::{DAY, END, HOUR, MINUTE, Micros, Pairing, What, World};
use super::{care, course, desk, giving, lesson, offer, report, score};

const GATHERING_SIZE_MAX: usize = 12;

/// How many events of each type, in sum what is left after the syncs.
struct Quota {
    matched: usize,
    ended: usize,
    logged: usize,
    attended: usize,
    skill_shares: usize,
    checkins: usize,
    feedback: usize,
    milestones: usize,
    imports: usize,
    /// Schedulings and ratings included, as are the corrections of what is reported.
    lessons: usize,
    courses: usize,
    scores: usize,
    enrolments: usize,
    volunteering: usize,
    volunteering_elsewhere: usize,
    programs: usize,
    campaigns: usize,
    donations: usize,
    donations_elsewhere: usize,
    placements: usize,
    moderation: usize,
    consents: usize,
    requests: usize,
    /// Questions, reports, and journeys as another service tells them.
    desk: usize,
    journeys: usize,
}

impl Quota {
    /// In thousandths of the log; the syncs are about a hundred of them.
    fn of(total: usize) -> Self {
        let part = |share: usize| total * share / 900;
        let mut quota = Self {
            matched: part(45).max(1),
            ended: part(22),
            logged: part(85),
            attended: part(125),
            skill_shares: part(80),
            checkins: 0,
            feedback: part(55),
            milestones: part(30),
            imports: total / 3_000,
            lessons: part(130),
            courses: part(85),
            scores: part(35),
            enrolments: part(20),
            volunteering: part(13),
            volunteering_elsewhere: part(8),
            programs: part(3),
            campaigns: part(5),
            donations: part(5),
            donations_elsewhere: part(3),
            placements: part(6),
            moderation: part(6),
            consents: part(6),
            requests: part(4),
            desk: part(10),
            journeys: part(4),
        };
        let buddies = quota.matched + quota.ended + quota.logged + quota.attended + quota.skill_shares + quota.feedback;
        let learning = quota.lessons + quota.courses + quota.scores;
        let reports = quota.enrolments + quota.volunteering + quota.volunteering_elsewhere;
        let gifts = quota.donations + quota.donations_elsewhere + quota.placements;
        let care = quota.moderation + quota.consents + quota.requests;
        let platform = quota.programs + quota.campaigns + quota.desk + quota.journeys;
        quota.checkins =
            total - buddies - quota.milestones - quota.imports - learning - reports - gifts - care - platform;
        quota
    }
}

/// Plans `total` events around the people of `world`.
pub(super) fn live(world: &mut World, rng: &mut StdRng, total: usize) {
    if total == 0 {
        return;
    }
    let quota = Quota::of(total);
    let pools = Pools::of(world);
    match_people(world, rng, &pools, quota.matched);
    end_matches(world, rng, quota.ended);
    for _ in 0..quota.logged {
        let (pairing, at) = within_match(world, rng);
        world.push(rng, at, What::Logged(pairing));
    }
    gather(world, rng, &pools, quota.attended);
    for _ in 0..quota.skill_shares {
        share_skill(world, rng, &pools);
    }
    check_in(world, rng, quota.checkins);
    for _ in 0..quota.feedback {
        give_feedback(world, rng);
    }
    for _ in 0..quota.milestones {
        let at = pools.moment(rng);
        let person = pools.anybody(rng, at);
        world.push(rng, at, What::Milestone { person, step: 0 });
    }
    for _ in 0..quota.imports {
        let at = pools.moment(rng);
        world.push(rng, at, What::Import);
    }
    lesson::teach(world, rng, &pools, quota.lessons);
    course::learn(world, rng, &pools, quota.courses);
    score::listen(world, rng, &pools, quota.scores);
    report::enrol(world, rng, &pools, quota.enrolments);
    report::volunteer(world, rng, &pools, quota.volunteering, report::Form::Ingest);
    report::volunteer(world, rng, &pools, quota.volunteering_elsewhere, report::Form::External);
    offer::sync(world, rng, quota.programs, quota.campaigns);
    giving::give(world, rng, &pools, quota.donations, report::Form::Ingest);
    giving::give(world, rng, &pools, quota.donations_elsewhere, report::Form::External);
    giving::place(world, rng, &pools, quota.placements);
    care::moderate(world, rng, &pools, quota.moderation);
    care::consent(world, rng, &pools, quota.consents);
    care::request(world, rng, &pools, quota.requests);
    desk::ask(world, rng, &pools, quota.desk);
    desk::follow(world, rng, &pools, quota.journeys);
}

fn match_people(world: &mut World, rng: &mut StdRng, pools: &Pools, count: usize) {
    for pairing in 0..count as u32 {
        let at = pools.early_moment(rng);
        let buddy = pools.volunteer(rng, at);
        // A few volunteers are somebody's participant as well.
        let crossing = pools.volunteer(rng, at);
        let crosses = rng.random_bool(0.03) && crossing != buddy;
        let participant = if crosses { crossing } else { pools.participant(rng, at) };
        world.push(rng, at, What::Matched(pairing));
        world.pairings.push(Pairing { participant, buddy, matched_at: at, ended_at: None });
    }
}

fn end_matches(world: &mut World, rng: &mut StdRng, count: usize) {
    for number in sample(rng, world.pairings.len(), count) {
        let pairing = &mut world.pairings[number];
        let lasted = rng.random_range(3 * DAY..240 * DAY);
        let at = (pairing.matched_at + lasted).min(END - rng.random_range(HOUR..5 * DAY));
        pairing.ended_at = Some(at);
        world.push(rng, at, What::Ended(number as u32));
    }
}

fn any_match(world: &World, rng: &mut StdRng) -> u32 {
    rng.random_range(0..world.pairings.len()) as u32
}

fn last_moment(pairing: &Pairing) -> Micros {
    pairing.ended_at.map_or(END, |ended_at| ended_at - MARGIN)
}

fn both_awake(world: &World, pairing: u32, at: Micros) -> bool {
    let Pairing { participant, buddy, .. } = world.pairings[pairing as usize];
    world.is_awake(participant, at) && world.is_awake(buddy, at)
}

/// A match and a moment of its life.
fn within_match(world: &World, rng: &mut StdRng) -> (u32, Micros) {
    let draw = |rng: &mut StdRng| {
        let number = any_match(world, rng);
        let pairing = &world.pairings[number as usize];
        (number, rng.random_range(pairing.matched_at + MARGIN..last_moment(pairing)))
    };
    preferably(rng, draw, |(number, at)| both_awake(world, *number, *at))
}

/// Some matches check in about weekly for a while, others never.
fn check_in(world: &mut World, rng: &mut StdRng, mut left: usize) {
    while left > 0 {
        let (pairing, mut at) = within_match(world, rng);
        let until = last_moment(&world.pairings[pairing as usize]);
        loop {
            world.push(rng, at, What::CheckIn(pairing));
            left -= 1;
            at += rng.random_range(4 * DAY..9 * DAY);
            if left == 0 || at >= until || !both_awake(world, pairing, at) || rng.random_bool(0.12) {
                break;
            }
        }
    }
}

/// Gatherings of a match or of a community; each person attends a gathering once.
fn gather(world: &mut World, rng: &mut StdRng, pools: &Pools, mut left: usize) {
    let mut gathering = 0;
    while left > 0 {
        let of_match = rng.random_bool(0.6);
        let (pairing, at, mut guests) = if of_match {
            let (number, at) = within_match(world, rng);
            let Pairing { participant, buddy, .. } = world.pairings[number as usize];
            let guests = match rng.random_range(0..4) {
                0 => vec![participant],
                1 => vec![buddy],
                _ => vec![participant, buddy],
            };
            (Some(number), at, guests)
        } else {
            let at = pools.moment(rng);
            let size = rng.random_range(1..=GATHERING_SIZE_MAX);
            let guests = (0..size).map(|_| pools.anybody(rng, at)).collect();
            (None, at, guests)
        };
        guests.sort_unstable();
        guests.dedup();
        guests.truncate(left);
        left -= guests.len();
        for person in guests {
            // Latecomers, but none after the end of the match or of the log.
            let at = (at + rng.random_range(0..10 * MINUTE)).min(END);
            let what = What::Attended { gathering, person, pairing };
            world.push(rng, at, what);
        }
        gathering += 1;
    }
}

fn share_skill(world: &mut World, rng: &mut StdRng, pools: &Pools) {
    if rng.random_bool(0.6) {
        let (number, at) = within_match(world, rng);
        let Pairing { participant, buddy, .. } = world.pairings[number as usize];
        let what = What::SkillShare { teacher: buddy, learner: participant, pairing: Some(number) };
        world.push(rng, at, what);
        return;
    }
    let at = pools.moment(rng);
    let what =
        What::SkillShare { teacher: pools.volunteer(rng, at), learner: pools.participant(rng, at), pairing: None };
    world.push(rng, at, what);
}

/// After a while, or in the days after the end; by no means of every match, and the quiet give none.
fn give_feedback(world: &mut World, rng: &mut StdRng) {
    let draw = |rng: &mut StdRng| {
        let number = any_match(world, rng);
        let pairing = &world.pairings[number as usize];
        let (from, until) = match pairing.ended_at {
            Some(ended_at) if rng.random_bool(0.6) => (ended_at, (ended_at + 5 * DAY).min(END)),
            Some(ended_at) => (pairing.matched_at + DAY, ended_at - MARGIN),
            None => (pairing.matched_at + 14 * DAY, END),
        };
        (number, rng.random_range(from + MINUTE..until), rng.random_bool(0.4))
    };
    let giver_is_awake = |(number, at, by_buddy): &(u32, Micros, bool)| {
        let pairing = &world.pairings[*number as usize];
        world.is_awake(if *by_buddy { pairing.buddy } else { pairing.participant }, *at)
    };
    let (pairing, at, by_buddy) = preferably(rng, draw, giver_is_awake);
    world.push(rng, at, What::Feedback { pairing, by_buddy });
}
