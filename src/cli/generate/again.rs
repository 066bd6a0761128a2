//! A few things are told twice, under two event ids: publishers that lost track of what they had sent.
//!
//! Unlike a duplicate this is another event, and unlike a correction it says nothing new: it must change no table.

use rand::Rng;
use rand::rngs::StdRng;

use super::world::{END, Event, HOUR, MINUTE, Micros, SECOND, What, World};

/// How many of so many events.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few events")]
pub(super) fn count(event_count: usize, share: f64) -> usize {
    (event_count as f64 * share) as usize
}

/// Tells `count` of the planned events again, up to an hour after the first time.
pub(super) fn tell(world: &mut World, rng: &mut StdRng, count: usize) {
    let firsts = world.events.len();
    for _ in 0..count {
        // This ends: a match is made in every log that is long enough to get here, and none in its last hour.
        let first = loop {
            let first = world.events[rng.random_range(0..firsts)];
            if first.at < END - HOUR && makes_one_thing(first.what) {
                break first;
            }
        };
        let delay = rng.random_range(MINUTE..HOUR) / SECOND * SECOND;
        let number = world.next_number();
        let delay_in_type = u32::try_from(delay).expect("an hour has fewer microseconds");
        world.events.push(Event { at: first.at + delay, number, delay: delay_in_type, ..first });
    }
}

/// Whether the event is the only one that speaks of its entity; where the latest wins, telling it twice is a correction.
fn makes_one_thing(what: What) -> bool {
    match what {
        What::Matched(_)
        | What::Ended(_)
        | What::Logged(_)
        | What::Attended { .. }
        | What::SkillShare { .. }
        | What::CheckIn(_)
        | What::Feedback { .. }
        | What::Milestone { .. }
        | What::Held(_)
        | What::Rated { .. }
        | What::Credential(_)
        | What::Scored { .. }
        | What::Raised(_)
        | What::Reviewed { .. }
        | What::Asked(_)
        | What::Answered(_) => true,
        What::Company { .. }
        | What::External(_)
        | What::Directory(_)
        | What::Import
        | What::Scheduled { .. }
        | What::Progress { .. }
        | What::CourseDone(_)
        | What::Enrolled { .. }
        | What::Volunteered { .. }
        | What::VolunteeredElsewhere { .. }
        | What::Program { .. }
        | What::Campaign { .. }
        | What::Donated { .. }
        | What::DonatedElsewhere { .. }
        | What::Placed { .. }
        | What::Consent { .. }
        | What::Query { .. }
        | What::Uncached(_)
        | What::Report { .. }
        | What::Journey(_)
        | What::Profile(_) => false,
    }
}

/// The delay of an event fits its field.
const _: () = assert!(HOUR < u32::MAX as Micros);
