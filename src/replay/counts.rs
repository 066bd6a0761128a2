//! What a replay counts, and how it says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Outcome;

/// What became of what was read: `read` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Lines, messages or stored events.
    pub read: u64,
    /// Left out by the filters.
    pub skipped: u64,
    /// Had their effect, at the latest by the end of the replay.
    pub applied: u64,
    /// Had been taken before.
    pub duplicates: u64,
    /// Still held back.
    pub waiting: u64,
    /// Without a contract.
    pub unrouted: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Our own.
    pub own: u64,
    /// Stored events that their contract or the database refuses; they stay stored, without effect.
    pub refused: u64,
}

/// The summary that `replay` prints. Its JSON is an interface.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// What became of what was read, in all runs of this replay.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long this run took.
    pub seconds: f64,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Of a dry run: by type, what would become of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeMap<String, BTreeMap<&'static str, u64>>>,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What became of what was read, in all runs of this replay.
    pub counts: Counts,
    /// Read in this run.
    pub read: u64,
    /// How much of the way is done: bytes, positions or sequences.
    pub done: u64,
    /// The whole way, where it is known.
    pub of: Option<u64>,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.skipped += other.skipped;
        self.applied += other.applied;
        self.duplicates += other.duplicates;
        self.waiting += other.waiting;
        self.unrouted += other.unrouted;
        self.dead_letters += other.dead_letters;
        self.own += other.own;
        self.refused += other.refused;
    }
}

impl Counts {
    pub(super) fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Applied => &mut self.applied,
            Outcome::Duplicate => &mut self.duplicates,
            Outcome::Waiting => &mut self.waiting,
            Outcome::Unrouted => &mut self.unrouted,
            Outcome::DeadLetter => &mut self.dead_letters,
            Outcome::Own => &mut self.own,
        } += 1;
    }
}
