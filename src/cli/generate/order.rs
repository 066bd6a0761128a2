//! The order of lines: repeats, delays and broken lines among the events.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use super::chance::Kind;
use super::world::World;

/// How far a repeat follows its event, and how far an event may be delayed, in lines: a little less than promised,
/// because extra lines do not fall evenly.
const REPEAT_DISTANCE_MAX: f64 = 1_900.0;
const DELAY_DISTANCE_MAX: f64 = 4_750.0;

/// What comes on top of the events, as shares of them.
pub(super) struct Extras {
    pub(super) duplicates: f64,
    pub(super) shuffle: f64,
    pub(super) poison: f64,
}

/// Where the text of a line comes from; `event` and `near` are indices into `World::events`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    Event(u32),
    Repeat {
        event: u32,
        /// `None` is the same bytes again.
        respelling: Option<u32>,
    },
    Poison {
        number: u32,
        near: u32,
    },
}

/// A line and its place, counted in events.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Line {
    position: u32,
    pub(super) source: Source,
}

/// All lines in the order of writing.
pub(super) fn lines(world: &World, extras: &Extras) -> Vec<Line> {
    let mut rng = world.chance.rng(Kind::Order, 0);
    let event_count = world.events.len();
    let count = |share: f64| (event_count as f64 * share).round() as usize;
    // Places count events, distances count lines: extra lines stretch a distance.
    let lines_per_event = 1.0 + extras.duplicates + extras.poison;
    let reach = |line_count: f64| ((line_count / lines_per_event) as u32).max(1);

    let mut lines: Vec<Line> =
        (0..event_count as u32).map(|event| Line { position: event, source: Source::Event(event) }).collect();
    let delay_max = reach(DELAY_DISTANCE_MAX);
    for event in chosen(&mut rng, event_count, count(extras.shuffle)) {
        lines[event].position += rng.random_range(1..=delay_max);
    }
    let repeat_max = reach(REPEAT_DISTANCE_MAX);
    for (number, event) in (0..).zip(chosen(&mut rng, event_count, count(extras.duplicates))) {
        lines.push(Line {
            position: lines[event].position + rng.random_range(1..=repeat_max),
            source: Source::Repeat { event: event as u32, respelling: (number % 2 == 1).then_some(number) },
        });
    }
    for number in 0..count(extras.poison) as u32 {
        let near = rng.random_range(0..event_count as u32);
        lines.push(Line { position: near, source: Source::Poison { number, near } });
    }
    lines.sort_unstable();
    lines
}

fn chosen(rng: &mut StdRng, event_count: usize, count: usize) -> Vec<usize> {
    sample(rng, event_count, count).into_vec()
}
