//! Companies and people: how they enter the log and how they change.
//!
//! Half of the people are first seen by an identity provider, which knows no CSR id; their directory names it shortly
//! after, by the same e-mail. The others enter by the directory alone. Only those change their e-mail, so that no order
//! of arrival makes two people of one.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::one_of;
use super::world::{Change, DAY, END, HOUR, MINUTE, Micros, Person, Quiet, START, Snapshot, What, World};

const PROVIDERS: [&str; 3] = ["workday", "okta", "azure_ad"];
/// Everybody is known by then, so that matches still have time to live.
const LAST_ENTRY: Micros = START + 280 * DAY;

/// Plans companies, entries and re-syncs: about two events per person.
pub(super) fn settle(world: &mut World, rng: &mut StdRng, event_count: usize, person_count: u32) {
    let company_count = (person_count / 50).clamp(1, 6);
    for company in 0..company_count {
        let at = START + rng.random_range(0..HOUR);
        world.push(rng, at, What::Company { company });
        if event_count < 1_000 {
            continue;
        }
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(START + DAY..END);
            world.push(rng, at, What::Company { company });
        }
    }
    for person in 0..person_count {
        enter(world, rng, person, company_count);
    }
    for _ in 0..person_count / 2 {
        let person = rng.random_range(0..person_count);
        resync(world, rng, person);
    }
}

fn enter(world: &mut World, rng: &mut StdRng, person: u32, company_count: u32) {
    // The first of either role come early, so that even a short log fills its year.
    let first_wave = rng.random_bool(0.25) || person < 2;
    let latest = if first_wave { START + 14 * DAY } else { LAST_ENTRY };
    let mut at = rng.random_range(START + 2 * HOUR..latest);
    // Parity is the role (see activity), so the provider goes by the next bit.
    let provider = (person / 2).is_multiple_of(2).then(|| one_of(rng, &PROVIDERS));
    if provider.is_some() {
        world.push(rng, at, What::External(snapshot(person, Change::Entry)));
        at += rng.random_range(MINUTE..6 * HOUR);
    }
    world.push(rng, at, What::Directory(snapshot(person, Change::Entry)));
    let company = rng.random_range(0..company_count);
    world.people.push(Person { company, known_at: at, provider, quiet: quiet(rng, at) });
}

/// Some stop for good, some pause: what is due to them, or asked of them, must come and go.
fn quiet(rng: &mut StdRng, known_at: Micros) -> Quiet {
    let from = rng.random_range(known_at + 30 * DAY..END);
    let until = match rng.random_range(0..10) {
        0..2 => END + DAY,
        2..6 => from + rng.random_range(20 * DAY..90 * DAY),
        _ => from,
    };
    Quiet { from, until }
}

fn resync(world: &mut World, rng: &mut StdRng, number: u32) {
    let person = &world.people[number as usize];
    let direct = person.provider.is_none();
    let at = rng.random_range(person.known_at + HOUR..END);
    let change = match rng.random_range(0..100) {
        0..6 => Change::Leave,
        6..26 if direct => Change::Email,
        _ => Change::Job,
    };
    let snapshot = snapshot(number, change);
    if direct || rng.random_bool(0.4) {
        world.push(rng, at, What::Directory(snapshot));
    } else {
        world.push(rng, at, What::External(snapshot));
    }
}

fn snapshot(person: u32, change: Change) -> Snapshot {
    Snapshot { person, change, version: 0, email: 0, left: false }
}
