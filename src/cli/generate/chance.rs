//! Randomness by name: every id and every stream of choices follows from the seed, a kind and a number.
//!
//! So an event can be written out twice, at different times, with the same contents, and nothing needs to be remembered.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::{Builder, Uuid};

/// What a number counts; ids of different kinds never meet.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Event = 1,
    Plan,
    Order,
    Respelling,
    Poison,
    Company,
    Person,
    Program,
    Campaign,
    Group,
    Match,
    Entity,
    Gathering,
    Trace,
    Account,
    Contents,
    Lesson,
    Study,
    Text,
    Enrolment,
    Deed,
    Record,
    Template,
    Flag,
    Moderator,
}

/// The source of all randomness of one log.
pub(super) struct Chance {
    seed: u64,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: mix(seed) }
    }

    /// A number that looks random and is always the same for the same thing.
    pub(super) fn number(&self, kind: Kind, number: u32) -> u64 {
        mix(self.seed ^ key(kind, number))
    }

    /// A version-4-looking id, distinct for distinct things: both halves are bijections of the thing's key.
    pub(super) fn id(&self, kind: Kind, number: u32) -> Uuid {
        let high = self.number(kind, number);
        let low = mix(self.seed.rotate_left(32) ^ key(kind, number));
        let random = (u128::from(high) << 64) | u128::from(low);
        Builder::from_random_bytes(random.to_be_bytes()).into_uuid()
    }

    /// The choices made about one thing.
    pub(super) fn rng(&self, kind: Kind, number: u32) -> StdRng {
        StdRng::seed_from_u64(mix(self.seed.rotate_left(16) ^ key(kind, number)))
    }
}

/// The first of a few draws that fits, else the last one: in a small world nothing better may exist.
pub(super) fn preferably<T>(rng: &mut StdRng, mut draw: impl FnMut(&mut StdRng) -> T, fits: impl Fn(&T) -> bool) -> T {
    const TRIES: usize = 12;
    let mut drawn = draw(rng);
    for _ in 0..TRIES {
        if fits(&drawn) {
            break;
        }
        drawn = draw(rng);
    }
    drawn
}

/// One of a list.
pub(super) fn one_of<T: Copy>(rng: &mut StdRng, list: &[T]) -> T {
    list[rng.random_range(0..list.len())]
}

fn key(kind: Kind, number: u32) -> u64 {
    ((kind as u64) << 32) | u64::from(number)
}

/// The finaliser of splitmix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
