//! The naive judge of flags, milestones and counters: what domain.md says, read once more, in the plainest code.
//!
//! It shares nothing with the engine: it reads lines of its own, keeps the whole history of every person, and asks of each
//! flag "does it hold at this instant?". No summaries, no timers, no SQL. Where it and the tables differ, one of us
//! has misread the text. What an event that refers to nobody would do is simple too: nothing.

mod counters; // users.journey_flags
mod decimal; // ratings and scores without floating point
mod event; // what an event says, as far as a person's journey is concerned
mod flags; // which flags hold at an instant, and since when
mod history; // everything that happened to a person
mod log; // which events count
mod milestones; // what was reached, and when
mod tables; // what the database says
mod wire; // a line of the log, in any envelope

mod tests; // the judge itself is judged by cases of one line

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use history::History;

type Instant = DateTime<Utc>;

/// A day is 24 hours.
fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

/// Everything that a log says about everybody.
pub(crate) struct Oracle {
    people: BTreeMap<Uuid, History>,
}

/// A flag that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flag {
    pub(crate) set_at: Instant,
    pub(crate) expires_at: Option<Instant>,
}

/// What the tables must say at an instant, by CSR user id. People without flags, milestones or counters do not appear.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Expected {
    pub(crate) flags: BTreeMap<(Uuid, String), Flag>,
    pub(crate) milestones: BTreeMap<(Uuid, String), Instant>,
    pub(crate) counters: BTreeMap<Uuid, Map<String, Value>>,
}

impl Oracle {
    /// Reads a log, one document per line, in any order and any of the three envelopes. Repetitions count once; what is
    /// broken, of another type or of another version counts nothing.
    pub(crate) fn read<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Self {
        let documents = lines.into_iter().filter_map(|line| serde_json::from_slice(line.as_ref()).ok());
        Self::of(documents)
    }

    /// As [`Self::read`], of documents that are parsed already.
    pub(crate) fn of(documents: impl IntoIterator<Item = Value>) -> Self {
        let events = documents.into_iter().filter_map(|document| wire::event(&document)).collect();
        Self { people: history::of_everybody(&log::what_counts(events)) }
    }

    /// What holds at this instant. Milestones and counters do not depend on it.
    pub(crate) fn expected(&self, now: Instant) -> Expected {
        let mut expected = Expected::default();
        for (person, history) in &self.people {
            let named = |name: String| (*person, name);
            let flags = flags::that_hold(history, now);
            expected.flags.extend(flags.into_iter().map(|(name, flag)| (named(name.to_owned()), flag)));
            let milestones = milestones::reached(history);
            expected.milestones.extend(milestones.into_iter().map(|(name, at)| (named(name), at)));
            let counters = counters::of(history);
            if !counters.is_empty() {
                expected.counters.insert(*person, counters);
            }
        }
        expected
    }
}
