//! When something holds: sets of intervals on the time line.
//!
//! A condition over a person's facts is a set of intervals, known for all of time. Its value at a moment, since when,
//! until when, and when it will change without any event are read off that set; nothing is polled.

/// Microseconds since 1970, UTC.
pub type Micros = i64;

/// The end of an interval that nothing is known to end.
pub const FOREVER: Micros = i64::MAX;

/// The begin of an interval that held before anything happened.
pub const BEGINNING: Micros = i64::MIN;

/// From when until when something holds: at every moment `t` with `from <= t < until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The first moment.
    pub from: Micros,
    /// The first moment that is outside; [`FOREVER`] when nothing is known to end it.
    pub until: Micros,
    /// The moment that people are told. A microsecond before `from` where something must have lasted *longer* than
    /// a time, otherwise `from`.
    pub since: Micros,
}

/// A set of intervals, ordered by their begin. They may overlap: at a moment that lies in several, what counts is the
/// earliest begin and the latest end (the match that has been due longest, the reminder that expires last). Where
/// overlapping stretches are one thing, [`Intervals::merged`] makes them one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intervals(Vec<Interval>);

/// What holds at a moment: since when and until when, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Since when.
    pub since: Micros,
    /// Until when; [`FOREVER`] when nothing is known to end it.
    pub until: Micros,
}

impl Interval {
    /// Holds at `from` and before `until`.
    #[must_use]
    pub const fn new(from: Micros, until: Micros) -> Self {
        Self { from, until, since: from }
    }

    /// Holds strictly after `after`, and before `until`.
    #[must_use]
    pub const fn after(after: Micros, until: Micros) -> Self {
        Self { from: after.saturating_add(1), until, since: after }
    }
}

impl Intervals {
    /// The set of these; empty ones are left out.
    #[must_use]
    pub fn of(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut list: Vec<Interval> = intervals.into_iter().filter(|interval| interval.from < interval.until).collect();
        list.sort_unstable();
        Self(list)
    }

    /// All of time.
    #[must_use]
    pub fn always() -> Self {
        Self(vec![Interval::new(BEGINNING, FOREVER)])
    }

    /// The intervals, ordered by their begin.
    #[must_use]
    pub fn list(&self) -> &[Interval] {
        &self.0
    }

    /// Overlapping and touching intervals made one.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut merged: Vec<Interval> = Vec::with_capacity(self.0.len());
        for interval in &self.0 {
            match merged.last_mut() {
                Some(last) if interval.from <= last.until => {
                    last.until = last.until.max(interval.until);
                    last.since = last.since.min(interval.since);
                }
                _ => merged.push(*interval),
            }
        }
        Self(merged)
    }

    /// Where both hold: each pair's common part, told since the later begin of the two.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let common = |a: &Interval, b: &Interval| {
            let later = if (b.from, b.since) > (a.from, a.since) { b } else { a };
            Interval { from: later.from, until: a.until.min(b.until), since: later.since }
        };
        Self::of(self.0.iter().flat_map(|a| other.0.iter().map(move |b| common(a, b))))
    }

    /// Where either holds.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied()).merged()
    }

    /// Where it does not hold.
    #[must_use]
    pub fn not(&self) -> Self {
        let mut gaps = Vec::new();
        let mut end = BEGINNING;
        for interval in self.merged().0 {
            gaps.push(Interval::new(end, interval.from));
            end = interval.until;
        }
        if end != FOREVER {
            gaps.push(Interval::new(end, FOREVER));
        }
        Self::of(gaps)
    }

    /// Each interval cut off a while after its begin.
    #[must_use]
    pub fn at_most_for(&self, lasts: Micros) -> Self {
        let cut = |interval: &Interval| Interval {
            until: interval.until.min(interval.since.saturating_add(lasts)),
            ..*interval
        };
        Self::of(self.0.iter().map(cut))
    }

    /// What holds at a moment.
    #[must_use]
    pub fn at(&self, moment: Micros) -> Option<Holding> {
        let around = || self.0.iter().filter(|interval| interval.from <= moment && moment < interval.until);
        let since = around().map(|interval| interval.since).min()?;
        let until = around().map(|interval| interval.until).max()?;
        Some(Holding { since, until })
    }

    /// The first moment after this one at which an interval begins or ends.
    #[must_use]
    pub fn next_change(&self, moment: Micros) -> Option<Micros> {
        let bounds = self.0.iter().flat_map(|interval| [interval.from, interval.until]);
        bounds.filter(|bound| *bound > moment && *bound != FOREVER).min()
    }

    /// The first moment ever at which it holds.
    #[must_use]
    pub fn first(&self) -> Option<Micros> {
        self.0.first().map(|interval| interval.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(Micros, Micros)]) -> Intervals {
        Intervals::of(pairs.iter().map(|(from, until)| Interval::new(*from, *until)))
    }

    #[test]
    fn touching_stretches_are_one() {
        assert_eq!(set(&[(0, 5), (5, 9), (11, 12)]).merged(), set(&[(0, 9), (11, 12)]));
    }

    #[test]
    fn ends_are_outside() {
        let one = set(&[(3, 7)]);
        assert_eq!([2, 3, 6, 7].map(|t| one.at(t).is_some()), [false, true, true, false]);
        assert_eq!(Intervals::of([Interval::after(3, 7)]).at(3), None);
        assert_eq!(Intervals::of([Interval::after(3, 7)]).at(4).map(|holding| holding.since), Some(3));
    }

    #[test]
    fn of_several_the_longest_due_counts() {
        let both = set(&[(0, 10), (4, 20)]);
        assert_eq!(both.at(5), Some(Holding { since: 0, until: 20 }));
        assert_eq!(both.at(12), Some(Holding { since: 4, until: 20 }));
        assert_eq!(both.next_change(5), Some(10));
    }

    #[test]
    fn not_is_the_rest() {
        assert_eq!(set(&[(0, 5), (3, 8)]).not(), set(&[(BEGINNING, 0), (8, FOREVER)]));
        assert_eq!(Intervals::default().not(), Intervals::always());
        assert_eq!(Intervals::always().not(), Intervals::default());
    }

    #[test]
    fn both_begin_with_the_later() {
        assert_eq!(set(&[(0, 10), (20, 30)]).and(&set(&[(5, 25)])), set(&[(5, 10), (20, 25)]));
    }
}
