//! Counts, sums and means along the time line.

use rust_decimal::Decimal;

use super::condition::{Compare, Measure, Operand, occurrences, series};
use super::fact::{Entry, Facts, joined};
use super::interval::{BEGINNING, FOREVER, Interval, Intervals, Micros};

/// A value at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Micros,
    pub(super) value: Decimal,
}

/// How many there are and what they sum up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Total {
    pub(super) count: i64,
    pub(super) sum: Decimal,
}

impl Total {
    pub(super) fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        entries.into_iter().fold(Self::default(), |total, entry| total.plus(entry.value, 1))
    }

    fn plus(self, value: Decimal, sign: i64) -> Self {
        // What is too large for a decimal must not stop the stream.
        let sum = self.sum.saturating_add(value * Decimal::from(sign));
        Self { count: self.count + sign, sum }
    }

    /// Means are compared without dividing: 0.80 is 0.80.
    fn holds(self, measure: Measure, compare: Compare, threshold: Decimal) -> bool {
        let count = Decimal::from(self.count);
        match measure {
            Measure::Count => compare.holds(count, threshold),
            Measure::Sum => compare.holds(self.sum, threshold),
            Measure::Mean => self.count > 0 && compare.holds(self.sum, threshold.saturating_mul(count)),
        }
    }
}

/// When a count, sum or mean compares so.
pub(super) fn aggregate(
    facts: &Facts,
    of: &Operand,
    measure: Measure,
    within: Option<Micros>,
    compare: Compare,
    threshold: Decimal,
) -> Intervals {
    // What the first few or the runs can tell needs no series.
    if let (Measure::Count, None, Some(kept)) = (measure, &of.mark, occurrences(facts, &of.fact)) {
        match (within, least(compare, threshold)) {
            (None, Some(least)) => return from_the(least, |nth| kept.first.get(nth).map(|mark| mark.at)),
            (None, None) => {
                let more = most(compare, threshold) + 1;
                return from_the(more, |nth| kept.first.get(nth).map(|mark| mark.at)).not();
            }
            (Some(within), Some(1)) => {
                let runs = joined(&kept.runs, within);
                return Intervals::of(
                    runs.iter().map(|run| Interval::new(run.first.at, run.last.at.saturating_add(within))),
                );
            }
            _ => {}
        }
    }
    let moments: Vec<Moment> = series(facts, of).iter().map(Moment::from).collect();
    steps(&moments, within, |total| total.holds(measure, compare, threshold))
}

/// The smallest count that satisfies, for comparisons that ask for one.
pub(super) fn least(compare: Compare, threshold: Decimal) -> Option<usize> {
    let least = match compare {
        Compare::AtLeast => threshold.ceil(),
        Compare::Above => threshold.floor() + Decimal::ONE,
        Compare::AtMost | Compare::Below => return None,
    };
    usize::try_from(least).ok()
}

/// The largest count that satisfies, for comparisons that ask for one.
pub(super) fn most(compare: Compare, threshold: Decimal) -> usize {
    let most = match compare {
        Compare::Below => threshold.ceil() - Decimal::ONE,
        _ => threshold.floor(),
    };
    usize::try_from(most).unwrap_or_default()
}

/// From the nth moment on; for none at all, always.
fn from_the(nth: usize, moment: impl Fn(usize) -> Option<Micros>) -> Intervals {
    match nth.checked_sub(1) {
        None => Intervals::always(),
        Some(index) => Intervals::of(moment(index).map(|at| Interval::new(at, FOREVER))),
    }
}

/// Walks along the time line: each moment comes in, and with `within` goes out again when it is that old.
fn steps(moments: &[Moment], within: Option<Micros>, holds: impl Fn(Total) -> bool) -> Intervals {
    let mut changes: Vec<(Micros, Decimal, i64)> = Vec::with_capacity(moments.len() * 2);
    for moment in moments {
        changes.push((moment.at, moment.value, 1));
        if let Some(within) = within {
            changes.push((moment.at.saturating_add(within), moment.value, -1));
        }
    }
    changes.sort_unstable_by_key(|(at, ..)| *at);
    let mut total = Total::default();
    let mut since = holds(total).then_some(BEGINNING);
    let mut held = Vec::new();
    for (index, (at, value, sign)) in changes.iter().enumerate() {
        total = total.plus(*value, *sign);
        if changes.get(index + 1).is_some_and(|(next, ..)| next == at) {
            continue; // all that happens at one moment counts at once
        }
        match (since, holds(total)) {
            (None, true) => since = Some(*at),
            (Some(from), false) => {
                held.push(Interval::new(from, *at));
                since = None;
            }
            _ => {}
        }
    }
    held.extend(since.map(|from| Interval::new(from, FOREVER)));
    Intervals::of(held)
}

/// The first entry whose value is above the highest of strictly earlier ones.
pub(super) fn rise(series: &[Entry]) -> Option<&Entry> {
    let mut highest: Option<Decimal> = None;
    for same in series.chunk_by(|one, next| one.at == next.at) {
        if let Some(risen) = same.iter().find(|entry| highest.is_some_and(|highest| entry.value > highest)) {
            return Some(risen);
        }
        highest = highest.max(same.iter().map(|entry| entry.value).max());
    }
    None
}
