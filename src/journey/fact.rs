//! Facts: what is kept of a person's events, as summaries that merge in any order to the same.
//!
//! A fact is either *occurrences* (something that happens at moments, perhaps with a value) or *episodes* (something
//! with a begin and an end, by the key of an entity, with marks in between). What exactly is kept of occurrences
//! follows from the rules that ask ([`Keep`]): the first few, runs without a long pause, or the whole series.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::interval::Micros;

/// A moment and the event that tells of it. Ordered, so that equal moments have one order everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When it happened.
    pub at: Micros,
    /// The event.
    pub event: Uuid,
}

/// A moment with a value. The latest of equal moments is that of the latest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened.
    pub at: Micros,
    /// The timestamp of the event.
    pub told_at: Micros,
    /// The event.
    pub event: Uuid,
    /// The value; 1 for what has none.
    #[serde(with = "rust_decimal::serde::str")]
    pub value: Decimal,
}

/// Moments none of which is further from the next than the gap that [`Keep`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// The first of them.
    pub first: Mark,
    /// The last of them.
    pub last: Mark,
}

/// What is kept of occurrences besides the last of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// How many there were. Only this needs each event to be told once; all else is the same however often it is told.
    pub count: bool,
    /// So many of the first: the largest count that a rule asks for.
    pub first: usize,
    /// Runs with pauses up to this: the shortest time that a rule asks for.
    pub gap: Option<Micros>,
    /// All of them with their values, for means, sums, latest values and counts within a time.
    pub series: bool,
}

/// What is kept of something that happens at moments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrences {
    /// How many there were, where that is kept.
    pub count: u64,
    /// The last one.
    pub last: Option<Mark>,
    /// The first ones, as many as are kept, in order.
    pub first: Vec<Mark>,
    /// Runs, in order.
    pub runs: Vec<Run>,
    /// All of them, in order.
    pub series: Vec<Entry>,
}

/// Which of several tellings of a begin or an end counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// The one told first, by (timestamp, event id).
    #[default]
    First,
    /// The one told last, by (rank, timestamp, event id): a snapshot.
    Last,
    /// The one with the earliest moment.
    Earliest,
}

/// A begin or an end as an event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The moment.
    pub at: Micros,
    /// A snapshot may tell the end with the begin.
    pub until: Option<Micros>,
    /// Tellings of a higher rank come after all of a lower one.
    pub rank: i32,
    /// The timestamp of the event.
    pub told_at: Micros,
    /// The event.
    pub event: Uuid,
    /// It takes back what was said before: there is no such thing.
    pub is_gone: bool,
}

/// Something that begins and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// When it began.
    pub begin: Option<Told>,
    /// When it ended.
    pub end: Option<Told>,
    /// Where it opens and closes several times: the changes, in order; a value other than 0 is open.
    pub states: Vec<Entry>,
    /// What happened in it, by the name of the mark.
    pub marks: BTreeMap<String, Occurrences>,
}

/// One fact of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// Something that happens at moments.
    Occurrences(Occurrences),
    /// Things that begin and end, by the key of their entity.
    Episodes(BTreeMap<String, Episode>),
}

/// All facts of one person, by name. What never happened is not there.
pub type Facts = BTreeMap<String, Fact>;

impl Fact {
    /// Whether what is kept names this event. A summary that does not may have counted it all the same.
    #[must_use]
    pub fn names(&self, event: Uuid) -> bool {
        match self {
            Self::Occurrences(occurrences) => occurrences.names(event),
            Self::Episodes(episodes) => episodes.values().any(|episode| {
                let told = |told: &Option<Told>| told.is_some_and(|told| told.event == event);
                told(&episode.begin)
                    || told(&episode.end)
                    || episode.states.iter().any(|state| state.event == event)
                    || episode.marks.values().any(|marks| marks.names(event))
            }),
        }
    }
}

impl Keep {
    /// What serves both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let gap = match (self.gap, other.gap) {
            (Some(one), Some(another)) => Some(one.min(another)),
            (one, another) => one.or(another),
        };
        let count = self.count || other.count;
        Self { count, first: self.first.max(other.first), gap, series: self.series || other.series }
    }

    /// Whether what is kept this way also serves who asks for that.
    #[must_use]
    pub fn covers(self, wanted: Self) -> bool {
        let gap = match (self.gap, wanted.gap) {
            (_, None) => true,
            (Some(kept), Some(wanted)) => kept <= wanted,
            (None, Some(_)) => false,
        };
        let count = self.count || !wanted.count;
        count && self.first >= wanted.first && gap && (self.series || !wanted.series)
    }
}

impl Occurrences {
    fn names(&self, event: Uuid) -> bool {
        let runs = self.runs.iter().flat_map(|run| [run.first, run.last]);
        self.first.iter().copied().chain(self.last).chain(runs).any(|mark| mark.event == event)
            || self.series.iter().any(|entry| entry.event == event)
    }

    /// Something happened.
    pub fn add(&mut self, keep: Keep, entry: Entry) {
        let mark = Mark { at: entry.at, event: entry.event };
        let series = if keep.series { vec![entry] } else { Vec::new() };
        let runs = if keep.gap.is_some() { vec![Run { first: mark, last: mark }] } else { Vec::new() };
        self.merge(keep, &Self { count: u64::from(keep.count), last: Some(mark), first: vec![mark], runs, series });
    }

    /// Both together: commutative and associative, and of equal marks only one is kept.
    pub fn merge(&mut self, keep: Keep, other: &Self) {
        self.count = if keep.count { self.count + other.count } else { 0 };
        self.last = self.last.max(other.last);
        union(&mut self.first, &other.first);
        self.first.truncate(keep.first);
        match keep.gap {
            Some(gap) => {
                union(&mut self.runs, &other.runs);
                self.runs = joined(&self.runs, gap);
            }
            None => self.runs.clear(),
        }
        match keep.series {
            true => {
                union(&mut self.series, &other.series);
                // Two events may tell the same thing (a rating, with its session): known by name, it counts once.
                self.count = if keep.count { self.series.len() as u64 } else { 0 };
            }
            false => self.series.clear(),
        }
    }
}

/// Runs with longer pauses allowed. The runs are in order, and shorter pauses are allowed in them already.
#[must_use]
pub fn joined(runs: &[Run], gap: Micros) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.first.at.saturating_sub(last.last.at) <= gap => last.last = last.last.max(run.last),
            _ => joined.push(*run),
        }
    }
    joined
}

/// The union of two ordered lists, ordered. New entries usually belong at the end.
fn union<T: Ord + Copy>(list: &mut Vec<T>, others: &[T]) {
    for other in others {
        if list.last().is_none_or(|last| last < other) {
            list.push(*other);
        } else if let Err(place) = list.binary_search(other) {
            list.insert(place, *other);
        }
    }
}

impl Telling {
    /// Of two tellings the one that counts. What one event says of two people who turn out to be one, taking back of one
    /// what it tells of the other, holds.
    #[must_use]
    pub fn choose(self, one: Option<Told>, another: Option<Told>) -> Option<Told> {
        let (Some(a), Some(b)) = (one, another) else {
            return one.or(another);
        };
        let told = |told: &Told| (told.rank, told.told_at, told.event, told.at, told.until, !told.is_gone);
        let first = |told: &Told| (told.told_at, told.event, told.at, told.until, told.is_gone);
        let b_counts = match self {
            Self::First => first(&b) < first(&a),
            Self::Last => told(&b) > told(&a),
            Self::Earliest => (b.at, first(&b)) < (a.at, first(&a)),
        };
        Some(if b_counts { b } else { a })
    }
}

impl Episode {
    /// Both tellings of one episode together.
    pub fn merge(&mut self, begin: Telling, end: Telling, keeps: &[(String, Keep)], other: &Self) {
        self.begin = begin.choose(self.begin, other.begin);
        self.end = end.choose(self.end, other.end);
        union(&mut self.states, &other.states);
        for (name, keep) in keeps {
            if let Some(marks) = other.marks.get(name) {
                self.marks.entry(name.clone()).or_default().merge(*keep, marks);
            }
        }
    }

    /// When it began, as far as is told: what has only states, with the first of them.
    #[must_use]
    pub fn begun(&self) -> Option<Entry> {
        let told = |told: Told| Entry { at: told.at, told_at: told.told_at, event: told.event, value: Decimal::ONE };
        let first = self.states.first().map(|state| Entry { value: Decimal::ONE, ..*state });
        self.begin.filter(|begin| !begin.is_gone).map(told).or(first)
    }

    /// When it ended, as far as is told.
    #[must_use]
    pub fn ended(&self) -> Option<Micros> {
        let there = |told: &Told| !told.is_gone;
        let ends = [self.end.filter(there).map(|end| end.at), self.begin.filter(there).and_then(|begin| begin.until)];
        ends.into_iter().flatten().min()
    }
}
