//! An evaluator that knows nothing of intervals: it looks at the whole history for each question, as a person would.
//!
//! Whether a condition holds at a moment is read off the words dated up to that moment. Since when, until when and
//! when first are found by asking that at every moment at which anything can change.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::naive_story::{Story, is_from, stories};
use super::random_history::DURATIONS;
use milepost::journey::condition::{Compare, Condition, Measure, Operand};
use milepost::journey::fold::Word;
use milepost::journey::interval::{BEGINNING, FOREVER, Micros};
use milepost::journey::{FactKind, Journey};

/// The whole history of one person.
pub(super) struct Naive<'h> {
    words: &'h [Word],
    journey: &'h Journey,
    stories: BTreeMap<&'h str, Vec<Story<'h>>>,
    /// Every moment at which an answer can change, in order.
    pub(super) moments: Vec<Micros>,
}

/// A stretch in which something holds: its first moment, and the moment that people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Begin {
    from: Micros,
    pub(super) since: Micros,
}

/// A value with its moment and what decides between equal moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    at: Micros,
    told: (Micros, uuid::Uuid),
    millionths: i128,
}

fn millionths(value: Decimal) -> i128 {
    value.mantissa() * 10_i128.pow(6 - value.scale())
}

fn compares(compare: Compare, value: i128, threshold: i128) -> bool {
    match compare {
        Compare::AtLeast => value >= threshold,
        Compare::AtMost => value <= threshold,
        Compare::Above => value > threshold,
        Compare::Below => value < threshold,
    }
}

impl<'h> Naive<'h> {
    pub(super) fn new(journey: &'h Journey, words: &'h [Word]) -> Self {
        let dated: Vec<Micros> = words.iter().flat_map(|word| [Some(word.at), word.until]).flatten().collect();
        let later = |at: &Micros| DURATIONS.map(|lasts| [at + lasts, at + lasts + 1]).as_flattened().to_vec();
        let mut moments: Vec<Micros> = dated.iter().flat_map(later).chain(dated.iter().copied()).collect();
        moments.sort_unstable();
        moments.dedup();
        let episodes = journey.facts.iter().filter(|fact| matches!(fact.kind, FactKind::Episodes { .. }));
        let stories = episodes.map(|fact| (fact.name.as_str(), stories(&fact.kind, words))).collect();
        Self { words, journey, stories, moments }
    }

    fn stories(&self, fact: &str) -> &[Story<'h>] {
        self.stories.get(fact).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything of an operand that is dated up to a moment, in order.
    fn seen(&self, of: &Operand, t: Micros) -> Vec<Value> {
        let value = |word: &Word, at: Micros| {
            let millionths = millionths(word.value.unwrap_or(Decimal::ONE));
            Value { at, told: (word.told_at, word.event), millionths }
        };
        let mut values: Vec<Value> = Vec::new();
        match (&of.mark, self.journey.fact(&of.fact).map(|fact| &fact.kind)) {
            (None, Some(FactKind::Occurrences { from, .. })) => {
                let words = self.words.iter().filter(|word| from.iter().any(|from| is_from(word, from)));
                values.extend(words.map(|word| value(word, word.at)));
            }
            (None, _) => {
                let begun = self.stories(&of.fact).iter().filter_map(Story::begun);
                values.extend(begun.map(|begun| Value { millionths: 1_000_000, ..value(begun, begun.at) }));
            }
            // Said of something before it happens, it counts once that has happened.
            (Some(mark), _) => {
                for story in self.stories(&of.fact) {
                    let Some(begun) = story.begun() else { continue };
                    values.extend(story.marks_of(mark).map(|word| value(word, word.at.max(begun.at))));
                }
            }
        }
        values.retain(|value| value.at <= t);
        values.sort_unstable();
        values
    }

    fn latest(&self, of: &Operand, t: Micros) -> Option<Value> {
        self.seen(of, t).last().copied()
    }

    /// Whether a condition holds at a moment.
    pub(super) fn holds(&self, condition: &Condition, t: Micros) -> bool {
        match condition {
            Condition::Aggregate { of, measure, within, compare, threshold } => {
                let young = |value: &Value| within.is_none_or(|within| t - value.at < within);
                let seen: Vec<i128> =
                    self.seen(of, t).into_iter().filter(young).map(|value| value.millionths).collect();
                let (count, sum) = (seen.len() as i128, seen.iter().sum::<i128>());
                match measure {
                    Measure::Count => compares(*compare, count * 1_000_000, millionths(*threshold)),
                    Measure::Sum => compares(*compare, sum, millionths(*threshold)),
                    Measure::Mean => count > 0 && compares(*compare, sum, millionths(*threshold) * count),
                }
            }
            Condition::Latest { of, compare, threshold } => {
                self.latest(of, t).is_some_and(|latest| compares(*compare, latest.millionths, millionths(*threshold)))
            }
            Condition::Rises { of } => {
                let seen = self.seen(of, t);
                seen.iter().any(|value| {
                    let mut earlier = seen.iter().filter(|other| other.at < value.at).peekable();
                    earlier.peek().is_some() && earlier.all(|other| other.millionths < value.millionths)
                })
            }
            Condition::Open { of } => self.stories(of).iter().any(|story| story.is_open(t)),
            Condition::Closed { of } => {
                let begun = self.stories(of).iter().any(|story| story.begun().is_some_and(|begun| begun.at <= t));
                begun && !self.stories(of).iter().any(|story| story.is_open(t))
            }
            Condition::Quiet { .. } | Condition::Missing { .. } => !self.begins(condition, t).is_empty(),
            Condition::AllOf(all) => all.iter().all(|one| self.holds(one, t)),
            Condition::AnyOf(any) => any.iter().any(|one| self.holds(one, t)),
            Condition::Not(one) => !self.holds(one, t),
        }
    }

    /// The begins of everything for which a condition holds at a moment; none where it does not hold.
    pub(super) fn begins(&self, condition: &Condition, t: Micros) -> Vec<Begin> {
        match condition {
            Condition::Quiet { of, lasts, longer, during } => {
                let due = |last: Micros| Begin { from: last + lasts + i64::from(*longer), since: last + lasts };
                let lasts = self.last_of_each(of, during, t).into_iter().map(due);
                lasts.filter(|begin| begin.from <= t).collect()
            }
            Condition::Missing { fact, mark, age } => {
                self.stories(fact).iter().filter_map(|story| missed(story, mark, *age, t)).collect()
            }
            _ if !self.holds(condition, t) => Vec::new(),
            Condition::Latest { of, .. } => {
                self.latest(of, t).map(|latest| Begin { from: latest.at, since: latest.at }).into_iter().collect()
            }
            Condition::AllOf(all) => {
                all.iter().fold(vec![Begin { from: BEGINNING, since: BEGINNING }], |begins, one| {
                    let others = self.begins(one, t);
                    begins.iter().flat_map(|begin| others.iter().map(|other| *begin.max(other))).collect()
                })
            }
            _ => {
                let from = self.stretch(|moment| self.holds(condition, moment), t);
                let parts = if let Condition::AnyOf(any) = condition { any.as_slice() } else { &[] };
                let told = parts.iter().flat_map(|part| self.begins(part, from)).map(|begin| begin.since).min();
                vec![Begin { from, since: told.unwrap_or(from) }]
            }
        }
    }

    /// The last thing that happened up to a moment: of anything, or in and since the begin of each open episode.
    fn last_of_each(&self, of: &[Operand], during: &[String], t: Micros) -> Vec<Micros> {
        let common = of.iter().filter(|operand| operand.mark.is_none());
        let common = common.filter_map(|operand| self.latest(operand, t)).map(|value| value.at).max();
        if during.is_empty() {
            return common.into_iter().collect();
        }
        let open = during.iter().flat_map(|fact| self.stories(fact)).filter(|story| story.is_open(t));
        let last = |story: &Story<'h>| {
            let own = of.iter().filter_map(|operand| operand.mark.as_deref()).flat_map(|mark| story.marks_of(mark));
            let own = own.map(|word| word.at).filter(|at| *at <= t).max();
            let begin = self.stretch(|moment| story.is_open(moment), t);
            own.into_iter().chain(common).fold(begin, Micros::max)
        };
        open.map(last).collect()
    }

    /// The first moment of the uninterrupted stretch in which something holds that holds now.
    fn stretch(&self, holds: impl Fn(Micros) -> bool, t: Micros) -> Micros {
        let before = self.moments.iter().rev().filter(|moment| **moment <= t);
        let held = before.take_while(|moment| holds(**moment));
        let first = held.last().copied().unwrap_or(t);
        // Before the first moment of all nothing changes any more.
        if self.moments.first().is_none_or(|earliest| t < *earliest || first == *earliest && holds(earliest - 1)) {
            return BEGINNING;
        }
        first
    }

    /// Since when a flag holds, and when it expires.
    pub(super) fn flag(&self, holds: &Condition, lasts: Option<Micros>, t: Micros) -> Option<(Micros, Option<Micros>)> {
        let expires = |begin: &Begin| lasts.map_or(FOREVER, |lasts| begin.since.saturating_add(lasts));
        let mut alive = self.begins(holds, t);
        alive.retain(|begin| t < expires(begin));
        let since = alive.iter().map(|begin| begin.since).min()?;
        let until = alive.iter().map(|begin| self.end(holds, begin, t, expires(begin))).max();
        Some((since, until.filter(|until| lasts.is_some() && *until != FOREVER)))
    }

    /// The end of what began so, no later than when it expires anyway.
    fn end(&self, holds: &Condition, begin: &Begin, t: Micros, expires: Micros) -> Micros {
        let later = self.moments.iter().filter(|moment| t < **moment && **moment < expires && expires != FOREVER);
        later.copied().find(|moment| !self.begins(holds, *moment).contains(begin)).unwrap_or(expires)
    }

    /// The first moment of all at which a condition holds, as people are told it.
    pub(super) fn first(&self, condition: &Condition) -> Option<Micros> {
        let first = self.moments.iter().find(|moment| self.holds(condition, **moment))?;
        self.begins(condition, *first).iter().map(|begin| begin.since).min()
    }
}

/// From when on a mark is missed, once that moment has come.
fn missed(story: &Story<'_>, mark: &str, age: Option<Micros>, t: Micros) -> Option<Begin> {
    let old = age.and_then(|age| Some(story.begun()?.at + age));
    let expected = story.end.into_iter().chain(old).min().filter(|expected| *expected <= t)?;
    let given = story.marks_of(mark).any(|mark| mark.at <= t);
    (!given).then_some(Begin { from: expected, since: expected })
}
