//! Folding what events say of a person into the person's facts.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fact::{Entry, Episode, Fact, Facts, Occurrences, Telling, Told};
use super::interval::Micros;
use super::{FactKind, FactRule, From, Journey};

/// What one event says of one person: a row of a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Whom it is about.
    pub person: Uuid,
    /// Index into [`Journey::signals`].
    pub signal: usize,
    /// Which rows of the signal it belongs to.
    pub label: Option<String>,
    /// The entity that it is about, for episodes.
    pub key: Option<String>,
    /// When it happened, by the data's own time.
    pub at: Micros,
    /// When it ends, where the same event tells that.
    pub until: Option<Micros>,
    /// Its value, where it has one. As a begin or an end, 0 takes back what was said before.
    pub value: Option<Decimal>,
    /// Tellings of a higher rank replace those of a lower one.
    pub rank: i32,
    /// The event's timestamp.
    pub told_at: Micros,
    /// The event.
    pub event: Uuid,
}

/// Facts as they are stored. The first byte names the format.
const FORMAT: u8 = 1;

/// Stored bytes that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("stored journey data cannot be read: {0}\n  hint: it was written by another version of milepost")]
pub struct Unreadable(String);

/// Writes facts or verdicts for storing.
#[must_use]
pub fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("invariant: plain data can always be written")
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// When it was written in another format.
pub fn from_bytes<T: for<'d> Deserialize<'d>>(bytes: &[u8]) -> Result<T, Unreadable> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => postcard::from_bytes(rest).map_err(|error| Unreadable(error.to_string())),
        Some((format, _)) => Err(Unreadable(format!("format {format}"))),
        None => Err(Unreadable("nothing there".into())),
    }
}

impl Word {
    fn is_from(&self, from: &From) -> bool {
        from.signals.contains(&self.signal) && (from.label.is_none() || from.label == self.label)
    }

    fn entry(&self) -> Entry {
        let value = self.value.unwrap_or(Decimal::ONE).normalize();
        Entry { at: self.at, told_at: self.told_at, event: self.event, value }
    }

    fn told(&self) -> Told {
        let is_gone = self.value.is_some_and(|value| value.is_zero());
        Told { at: self.at, until: self.until, rank: self.rank, told_at: self.told_at, event: self.event, is_gone }
    }
}

/// Folds one word into the facts of its person. The order in which words are folded makes no difference.
pub fn fold(journey: &Journey, facts: &mut Facts, word: &Word) {
    for rule in &journey.facts {
        fold_into(rule, facts, word);
    }
}

fn fold_into(rule: &FactRule, facts: &mut Facts, word: &Word) {
    match &rule.kind {
        FactKind::Occurrences { from, keep } => {
            if from.iter().any(|from| word.is_from(from))
                && let Fact::Occurrences(occurrences) =
                    facts.entry(rule.name.clone()).or_insert_with(|| Fact::Occurrences(Occurrences::default()))
            {
                occurrences.add(*keep, word.entry());
            }
        }
        FactKind::Episodes { begin, end, states, marks, keeps } => {
            let mut told = Episode::default();
            let is_from = |source: &Option<(From, Telling)>| source.iter().any(|(from, _)| word.is_from(from));
            told.begin = is_from(begin).then(|| word.told());
            told.end = is_from(end).then(|| word.told());
            told.states.extend(states.iter().filter(|from| word.is_from(from)).map(|_| word.entry()));
            for (name, _) in marks.iter().filter(|(_, from)| word.is_from(from)) {
                let keep = keeps.iter().find(|(known, _)| known == name).map(|(_, keep)| *keep).unwrap_or_default();
                told.marks.entry(name.clone()).or_default().add(keep, word.entry());
            }
            if told != Episode::default() {
                let episodes = Fact::Episodes([(word.key.clone().unwrap_or_default(), told)].into());
                merge_fact(rule, facts, episodes);
            }
        }
    }
}

/// Two summaries of different events as one. Merging is associative and commutative.
pub fn merge(journey: &Journey, facts: &mut Facts, others: Facts) {
    for (name, other) in others {
        if let Some(rule) = journey.fact(&name) {
            merge_fact(rule, facts, other);
        }
    }
}

/// Merges one fact; a kind that the rule does not have is left out.
fn merge_fact(rule: &FactRule, facts: &mut Facts, other: Fact) {
    match (&rule.kind, other) {
        (FactKind::Occurrences { keep, .. }, Fact::Occurrences(other)) => {
            let known = facts.entry(rule.name.clone()).or_insert_with(|| Fact::Occurrences(Occurrences::default()));
            if let Fact::Occurrences(known) = known {
                known.merge(*keep, &other);
            }
        }
        (FactKind::Episodes { begin, end, keeps, .. }, Fact::Episodes(others)) => {
            let telling = |source: &Option<(From, Telling)>| source.as_ref().map(|(_, told)| *told).unwrap_or_default();
            let known = facts.entry(rule.name.clone()).or_insert_with(|| Fact::Episodes([].into()));
            if let Fact::Episodes(known) = known {
                for (key, episode) in others {
                    known.entry(key).or_default().merge(telling(begin), telling(end), keeps, &episode);
                }
            }
        }
        _ => {}
    }
}

/// The same facts as these rules keep them: what they do not know is left out, what was kept too generously is cut.
#[must_use]
pub fn narrowed(journey: &Journey, facts: Facts) -> Facts {
    let mut narrowed = Facts::new();
    merge(journey, &mut narrowed, facts);
    narrowed
}

/// A person's facts as new rules keep them: what the rules in force keep already, and what was folded anew, of the facts
/// that they lack.
#[must_use]
pub fn brought_over(
    lacking: &Journey,
    new: &Journey,
    mut kept: Facts,
    folded: impl IntoIterator<Item = Facts>,
) -> Facts {
    kept.retain(|name, _| lacking.fact(name).is_none());
    let mut facts = narrowed(new, kept);
    for others in folded {
        merge(lacking, &mut facts, others);
    }
    facts
}
