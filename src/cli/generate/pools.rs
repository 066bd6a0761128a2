//! People by the moment they became known, to choose among those who are known and not quiet at a time.

use rand::Rng;
use rand::rngs::StdRng;

use super::chance::preferably;
use super::world::{DAY, END, MINUTE, Micros, Quiet, World};

/// Between an event and what must lie after it; data times precede their envelope by up to five minutes.
pub(super) const MARGIN: Micros = 30 * MINUTE;

struct Known {
    from: Micros,
    person: u32,
    quiet: Quiet,
}

/// Everybody, by what they mostly do.
pub(super) struct Pools {
    participants: Vec<Known>,
    volunteers: Vec<Known>,
    /// From here on there is somebody of both.
    pub(super) opens_at: Micros,
}

impl Pools {
    pub(super) fn of(world: &World) -> Self {
        let known = |parity: u32| {
            let mut pool: Vec<_> = (0..)
                .zip(&world.people)
                .filter(|(person, _)| person % 2 == parity)
                .map(|(person, who)| Known { from: who.known_at + MARGIN, person, quiet: who.quiet })
                .collect();
            pool.sort_unstable_by_key(|known| (known.from, known.person));
            pool
        };
        let (participants, volunteers) = (known(0), known(1));
        let opens_at = participants[0].from.max(volunteers[0].from) + 1;
        Self { participants, volunteers, opens_at }
    }

    pub(super) fn participant(&self, rng: &mut StdRng, at: Micros) -> u32 {
        pick(&self.participants, rng, at)
    }

    pub(super) fn volunteer(&self, rng: &mut StdRng, at: Micros) -> u32 {
        pick(&self.volunteers, rng, at)
    }

    pub(super) fn anybody(&self, rng: &mut StdRng, at: Micros) -> u32 {
        if rng.random_bool(0.6) { self.participant(rng, at) } else { self.volunteer(rng, at) }
    }

    pub(super) fn moment(&self, rng: &mut StdRng) -> Micros {
        rng.random_range(self.opens_at..END)
    }

    /// A moment to begin what takes a while.
    pub(super) fn early_moment(&self, rng: &mut StdRng) -> Micros {
        rng.random_range(self.opens_at..END - 20 * DAY)
    }
}

fn pick(pool: &[Known], rng: &mut StdRng, at: Micros) -> u32 {
    let known = pool.partition_point(|known| known.from <= at);
    let draw = |rng: &mut StdRng| &pool[rng.random_range(0..known)];
    preferably(rng, draw, |known| !known.quiet.covers(at)).person
}
