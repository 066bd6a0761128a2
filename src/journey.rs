//! Journeys: what the events of a person mean, by declared rules.
//!
//! `journey.toml` declares *signals* (SQL over `batch`: whom an event is about, and when), *facts* (commutative
//! summaries of signals, kept per person), *flags* and *milestones* (conditions over facts). A condition is a set of
//! intervals on the time line; so a flag's value at any moment, since when, until when, and when it will change
//! without an event (its timer) follow from the facts alone, in whatever order events came.

pub mod condition;
mod declare;
pub mod event;
pub mod explain;
pub mod fact;
mod faults;
pub mod fold;
pub mod interval;
pub mod moved;
mod resolve;
pub mod standing;
mod sweep;
pub mod verdict;

use sha2::{Digest, Sha256};

use crate::contract::Contract;
use crate::derived_id::from_digest;
use crate::projection::Statement;
use condition::Condition;
use fact::{Keep, Telling};
use interval::Micros;

/// The rules of a domain, compiled.
#[derive(Debug, Clone, Default)]
pub struct Journey {
    /// The entity whose rows the journeys are about, by name.
    pub person: String,
    /// The jsonb column of its table that shows the summary.
    pub summary_column: Option<String>,
    /// What is taken from events.
    pub signals: Vec<Signal>,
    /// What is kept of it.
    pub facts: Vec<FactRule>,
    /// What holds at a moment.
    pub flags: Vec<Flag>,
    /// What was reached once.
    pub milestones: Vec<Milestone>,
    /// Keys of the summary column.
    pub summary: Vec<SummaryKey>,
    /// Under which types changes are published; `None`: they are not.
    pub published: Option<event::Published>,
    /// The file as it was read, so that a running service can take it over from the database.
    pub source: String,
    /// Equal for files that mean the same.
    pub hash: String,
}

/// What an event means for people.
#[derive(Debug, Clone)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// The contract whose events it reads.
    pub contract: usize,
    /// The type of these events.
    pub event_type: String,
    /// The version of that contract.
    pub version: String,
    /// The labels that its rows may have.
    pub labels: Vec<String>,
    /// SQL over `batch`.
    pub statement: Statement,
}

/// A signal, or only its rows with one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// Indexes into [`Journey::signals`]: of one name there may be several, for several types of events.
    pub signals: Vec<usize>,
    /// The label that the rows must have.
    pub label: Option<String>,
}

/// How a fact is kept.
#[derive(Debug, Clone)]
pub struct FactRule {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub kind: FactKind,
    /// The smallest and largest value there can be.
    pub values: Option<[rust_decimal::Decimal; 2]>,
}

/// What a fact is made of.
#[derive(Debug, Clone)]
pub enum FactKind {
    /// Occurrences of any of these.
    Occurrences {
        /// What happens.
        from: Vec<From>,
        /// How much of it is kept.
        keep: Keep,
    },
    /// Episodes, by the key that the signals give.
    Episodes {
        /// What begins one.
        begin: Option<(From, Telling)>,
        /// What ends one.
        end: Option<(From, Telling)>,
        /// What opens and closes one.
        states: Option<From>,
        /// What happens in one.
        marks: Vec<(String, From)>,
        /// How much is kept of each mark.
        keeps: Vec<(String, Keep)>,
    },
}

/// A flag.
#[derive(Debug, Clone)]
pub struct Flag {
    /// Its name.
    pub name: String,
    /// `<name>@<version>`
    pub rule: String,
    /// What it tells, for people.
    pub description: String,
    /// When it holds.
    pub holds: Condition,
    /// How long at most.
    pub expires_after: Option<Micros>,
}

/// A milestone.
#[derive(Debug, Clone)]
pub struct Milestone {
    /// Its name.
    pub name: String,
    /// `<name>@<version>`
    pub rule: String,
    /// What it tells, for people.
    pub description: String,
    /// Reached at the first moment at which this holds.
    pub reached: Condition,
    /// The name under which it is published, where the outside knows another.
    pub published_as: Option<String>,
}

/// A key of the summary column; it is there when it is not zero.
#[derive(Debug, Clone)]
pub struct SummaryKey {
    /// The key.
    pub name: String,
    /// What it shows.
    pub shows: Shows,
    /// Of which fact.
    pub fact: String,
}

/// What a key of the summary shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// `true`, once it happened.
    Ever,
    /// How often it happened.
    Count,
    /// When it happened last.
    Last,
}

impl Journey {
    /// Compiles `journey.toml` against the contracts of the domain.
    ///
    /// # Errors
    /// Every fault, with its place in the file.
    pub fn compile(text: &str, contracts: &[Contract], entities: &[&str]) -> Result<Self, Vec<String>> {
        resolve::resolve(text, contracts, entities)
    }

    /// The fact of that name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&FactRule> {
        self.facts.iter().find(|fact| fact.name == name)
    }

    /// What a fact is defined by: facts of equal definition are equal. `None`: there is no such fact.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<Vec<(String, String, Option<String>)>> {
        let of = |role: &str, from: &From| {
            let mut signals: Vec<String> = from.signals.iter().map(|index| self.signals[*index].definition()).collect();
            signals.sort();
            (role.to_owned(), signals.join("\n"), from.label.clone())
        };
        let fact = self.fact(name)?;
        let mut parts = Vec::new();
        match &fact.kind {
            FactKind::Occurrences { from, .. } => parts.extend(from.iter().map(|from| of("occurrences", from))),
            FactKind::Episodes { begin, end, states, marks, .. } => {
                parts.extend(begin.iter().map(|(from, told)| of(&format!("begin {told:?}"), from)));
                parts.extend(end.iter().map(|(from, told)| of(&format!("end {told:?}"), from)));
                parts.extend(states.iter().map(|from| of("states", from)));
                parts.extend(marks.iter().map(|(name, from)| of(&format!("mark {name}"), from)));
            }
        }
        parts.sort();
        Some(parts)
    }

    /// Whether a fact that is kept by these rules also serves the other rules.
    #[must_use]
    pub fn serves(&self, other: &Self, name: &str) -> bool {
        let (Some(kept), Some(wanted)) = (self.fact(name), other.fact(name)) else {
            return false;
        };
        let covers = match (&kept.kind, &wanted.kind) {
            (FactKind::Occurrences { keep: kept, .. }, FactKind::Occurrences { keep: wanted, .. }) => {
                kept.covers(*wanted)
            }
            (FactKind::Episodes { keeps: kept, .. }, FactKind::Episodes { keeps: wanted, .. }) => {
                kept.iter().zip(wanted).all(|(kept, wanted)| kept.0 == wanted.0 && kept.1.covers(wanted.1))
            }
            _ => false,
        };
        covers && self.definition(name) == other.definition(name)
    }

    /// The same rules with these facts only, and nothing that is evaluated.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        let facts = self.facts.iter().filter(|fact| names.contains(&fact.name)).cloned().collect();
        Self { person: self.person.clone(), signals: self.signals.clone(), facts, ..Self::default() }
    }

    /// The signals that the facts are made of.
    #[must_use]
    pub fn signals_used(&self) -> Vec<usize> {
        let mut used: Vec<usize> = self.facts.iter().flat_map(|fact| fact.kind.signals()).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Facts that the other rules keep and these do not, or not enough of.
    #[must_use]
    pub fn lacks(&self, other: &Self) -> Vec<String> {
        other.facts.iter().map(|fact| fact.name.clone()).filter(|name| !self.serves(other, name)).collect()
    }
}

impl Signal {
    fn definition(&self) -> String {
        format!("{} {}: {}", self.event_type, self.version, self.statement.sql)
    }
}

impl FactKind {
    /// How much is kept of it.
    fn keeps(&self) -> Vec<(&str, Keep)> {
        match self {
            Self::Occurrences { keep, .. } => vec![("", *keep)],
            Self::Episodes { keeps, .. } => keeps.iter().map(|(name, keep)| (name.as_str(), *keep)).collect(),
        }
    }

    /// The signals that it is made of, as indexes into [`Journey::signals`].
    #[must_use]
    pub fn signals(&self) -> Vec<usize> {
        let from: Vec<&From> = match self {
            Self::Occurrences { from, .. } => from.iter().collect(),
            Self::Episodes { begin, end, states, marks, .. } => {
                let bounds = [begin, end].into_iter().flatten().map(|(from, _)| from);
                bounds.chain(states).chain(marks.iter().map(|(_, from)| from)).collect()
            }
        };
        from.iter().flat_map(|from| from.signals.iter().copied()).collect()
    }
}

fn hash(normal_form: &str) -> String {
    from_digest(Sha256::digest(normal_form.as_bytes()).as_slice()).to_string()
}
