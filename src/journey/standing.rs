//! Where a person stands: facts, and what the rules said of them last.

use uuid::Uuid;

use super::Journey;
use super::event::{Change, Outgoing, of_change};
use super::fact::Facts;
use super::interval::Micros;
use super::verdict::{Verdict, evaluate};

/// A person's row.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The rules under which facts and verdict are kept.
    pub epoch: i64,
    /// What is kept of the events.
    pub facts: Facts,
    /// What the tables show.
    pub verdict: Verdict,
    /// How often the flags have changed.
    pub changes: u64,
    /// Facts as rules keep them that are being applied, since these were begun.
    pub pending: Facts,
    /// Something was folded, or the person was brought to other rules: all of the row is to be written.
    pub is_changed: bool,
}

/// A person's row as it was and as it is now.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whose.
    pub person: Uuid,
    /// What the tables have shown so far.
    pub before: Verdict,
    /// The row as it is to be stored.
    pub after: Standing,
    /// What the outside is told of the change.
    pub outgoing: Vec<Outgoing>,
}

impl Standing {
    /// Evaluates the rules anew. `source` names us in what is told to the outside.
    #[must_use]
    pub fn evaluate(mut self, journey: &Journey, source: &str, person: Uuid, now: Micros) -> Update {
        let verdict = evaluate(journey, &self.facts, now);
        let before = std::mem::replace(&mut self.verdict, verdict);
        if before.flags != self.verdict.flags {
            self.changes += 1;
        }
        let change = Change { person, before: &before, after: &self.verdict, number: self.changes, now };
        let outgoing = of_change(journey, source, &change);
        Update { person, before, after: self, outgoing }
    }
}
