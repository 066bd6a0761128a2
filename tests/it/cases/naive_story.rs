//! What the whole history of a person says of each entity, for the naive evaluator.

use rust_decimal::Decimal;

use milepost::journey::fact::Telling;
use milepost::journey::fold::Word;
use milepost::journey::interval::Micros;
use milepost::journey::{FactKind, From};

/// What is known of one entity.
#[derive(Default)]
pub(super) struct Story<'h> {
    pub(super) begin: Option<&'h Word>,
    pub(super) end: Option<Micros>,
    states: Option<Vec<&'h Word>>,
    pub(super) marks: Vec<(&'h str, &'h Word)>,
}

impl Story<'_> {
    pub(super) fn begun(&self) -> Option<&Word> {
        match &self.states {
            Some(states) => states.first().copied(),
            None => self.begin,
        }
    }

    pub(super) fn has_ended(&self, t: Micros) -> bool {
        self.end.is_some_and(|end| end <= t)
    }

    pub(super) fn is_open(&self, t: Micros) -> bool {
        let on = match &self.states {
            Some(states) => {
                states.iter().rfind(|state| state.at <= t).is_some_and(|state| state.value != Some(Decimal::ZERO))
            }
            None => self.begin.is_some_and(|begin| begin.at <= t),
        };
        on && !self.has_ended(t)
    }

    pub(super) fn marks_of(&self, name: &str) -> impl Iterator<Item = &Word> {
        self.marks.iter().filter(move |(known, _)| *known == name).map(|(_, word)| *word)
    }
}

pub(super) fn is_from(word: &Word, from: &From) -> bool {
    from.signals.contains(&word.signal) && (from.label.is_none() || from.label == word.label)
}

pub(super) fn stories<'h>(kind: &'h FactKind, words: &'h [Word]) -> Vec<Story<'h>> {
    let FactKind::Episodes { begin, end, states, marks, .. } = kind else {
        return Vec::new();
    };
    let mut keys: Vec<&str> = words.iter().map(|word| word.key.as_deref().unwrap_or_default()).collect();
    keys.sort_unstable();
    keys.dedup();
    let story = |key: &str| {
        let own: Vec<&Word> = words.iter().filter(|word| word.key.as_deref().unwrap_or_default() == key).collect();
        let told = |source: &Option<(From, Telling)>| {
            let (from, telling) = source.as_ref()?;
            counting(own.iter().filter(|word| is_from(word, from)).copied().collect(), *telling)
        };
        let begin = told(begin);
        let end = told(end).map(|end| end.at).into_iter().chain(begin.and_then(|begin| begin.until)).min();
        let states = states.as_ref().map(|from| {
            let mut states: Vec<&Word> = own.iter().filter(|word| is_from(word, from)).copied().collect();
            states.sort_unstable_by_key(|word| (word.at, word.told_at, word.event));
            states
        });
        let mark = |(name, from): &'h (String, From)| {
            let words: Vec<&Word> = own.iter().filter(|word| is_from(word, from)).copied().collect();
            words.into_iter().map(move |word| (name.as_str(), word))
        };
        let marks = marks.iter().flat_map(mark).collect();
        Story { begin, end, states, marks }
    };
    keys.into_iter().map(story).collect()
}

/// Of several tellings of one begin or end the one that counts.
fn counting(mut words: Vec<&Word>, telling: Telling) -> Option<&Word> {
    words.sort_unstable_by_key(|word| (word.told_at, word.event));
    match telling {
        Telling::First => words.first().copied(),
        Telling::Last => words.iter().rev().max_by_key(|word| (word.rank, word.told_at, word.event)).copied(),
        Telling::Earliest => words.iter().rev().min_by_key(|word| (word.at, word.told_at, word.event)).copied(),
    }
}
