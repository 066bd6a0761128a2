//! What people do: matches, their lives and ends, gatherings, skill shares, milestones.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use super::world::{DAY, END, HOUR, MINUTE, Micros, Pairing, What, World};

/// Between an event and what must lie after it; data times precede their envelope by up to five minutes.
const MARGIN: Micros = 30 * MINUTE;
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
}

impl Quota {
    fn of(total: usize) -> Self {
        let part = |share: usize| total * share / 90;
        let mut quota = Self {
            matched: part(6).max(1),
            ended: part(3),
            logged: part(12),
            attended: part(20),
            skill_shares: part(12),
            checkins: 0,
            feedback: part(8),
            milestones: part(4),
            imports: total / 5_000,
        };
        let planned = quota.matched + quota.ended + quota.logged + quota.attended + quota.skill_shares;
        quota.checkins = total - planned - quota.feedback - quota.milestones - quota.imports;
        quota
    }
}

/// People by the moment they became known, to choose among those known at a time.
struct Pools {
    participants: Vec<(Micros, u32)>,
    volunteers: Vec<(Micros, u32)>,
    /// From here on there is somebody of both.
    opens_at: Micros,
}

impl Pools {
    fn of(world: &World) -> Self {
        let known = |parity: u32| {
            let mut pool: Vec<_> = (0..)
                .zip(&world.people)
                .filter(|(number, _)| number % 2 == parity)
                .map(|(number, person)| (person.known_at + MARGIN, number))
                .collect();
            pool.sort_unstable();
            pool
        };
        let (participants, volunteers) = (known(0), known(1));
        let opens_at = participants[0].0.max(volunteers[0].0) + 1;
        Self { participants, volunteers, opens_at }
    }

    fn participant(&self, rng: &mut StdRng, at: Micros) -> u32 {
        pick(&self.participants, rng, at)
    }

    fn volunteer(&self, rng: &mut StdRng, at: Micros) -> u32 {
        pick(&self.volunteers, rng, at)
    }

    fn anybody(&self, rng: &mut StdRng, at: Micros) -> u32 {
        if rng.random_bool(0.6) { self.participant(rng, at) } else { self.volunteer(rng, at) }
    }

    fn moment(&self, rng: &mut StdRng) -> Micros {
        rng.random_range(self.opens_at..END)
    }
}

fn pick(pool: &[(Micros, u32)], rng: &mut StdRng, at: Micros) -> u32 {
    let known = pool.partition_point(|(known_at, _)| *known_at <= at);
    pool[rng.random_range(0..known)].1
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
    for _ in 0..quota.checkins {
        let (pairing, at) = within_match(world, rng);
        world.push(rng, at, What::CheckIn(pairing));
    }
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
}

fn match_people(world: &mut World, rng: &mut StdRng, pools: &Pools, count: usize) {
    for pairing in 0..count as u32 {
        let at = rng.random_range(pools.opens_at..END - 20 * DAY);
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

/// A match and a moment of its life.
fn within_match(world: &World, rng: &mut StdRng) -> (u32, Micros) {
    let number = any_match(world, rng);
    let pairing = &world.pairings[number as usize];
    let until = pairing.ended_at.map_or(END, |ended_at| ended_at - MARGIN);
    let at = rng.random_range(pairing.matched_at + MARGIN..until);
    (number, at)
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

/// After a while, or in the days after the end.
fn give_feedback(world: &mut World, rng: &mut StdRng) {
    let number = any_match(world, rng);
    let pairing = &world.pairings[number as usize];
    let (from, until) = match pairing.ended_at {
        Some(ended_at) if rng.random_bool(0.6) => (ended_at, (ended_at + 5 * DAY).min(END)),
        Some(ended_at) => (pairing.matched_at + DAY, ended_at - MARGIN),
        None => (pairing.matched_at + 14 * DAY, END),
    };
    let at = rng.random_range(from + MINUTE..until);
    world.push(rng, at, What::Feedback(number));
}
