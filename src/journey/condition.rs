//! Conditions over a person's facts, and when they hold.

use rust_decimal::Decimal;

use super::fact::{Entry, Episode, Fact, Facts, Occurrences, Run, joined};
use super::interval::{FOREVER, Interval, Intervals, Micros};
use super::sweep::{self, Moment};

/// What a condition is about: a fact, or a mark of a fact that is made of episodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operand {
    /// The fact.
    pub fact: String,
    /// The mark, for `fact.mark`.
    pub mark: Option<String>,
}

/// How a value is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
}

/// What is made of several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean; nothing has none.
    Mean,
}

/// Something that holds for a person at some times and not at others.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A count, sum or mean compared, of everything up to a moment or of what is younger than `within`.
    Aggregate {
        /// Of what.
        of: Operand,
        /// Count, sum or mean.
        measure: Measure,
        /// Only what is younger than this counts.
        within: Option<Micros>,
        /// How.
        compare: Compare,
        /// With what.
        threshold: Decimal,
    },
    /// The latest value compared; holds since that value.
    Latest {
        /// Of what.
        of: Operand,
        /// How.
        compare: Compare,
        /// With what.
        threshold: Decimal,
    },
    /// A value was above the highest of strictly earlier ones, once.
    Rises {
        /// Of what.
        of: Operand,
    },
    /// One of the episodes has begun and not ended.
    Open {
        /// The fact.
        of: String,
    },
    /// An episode has begun, and all have ended.
    Closed {
        /// The fact.
        of: String,
    },
    /// Nothing of this has happened for a time; with `during`, in an open episode, counted from its begin at the
    /// earliest, and of marks only that episode's own.
    Quiet {
        /// Nothing of any of these.
        of: Vec<Operand>,
        /// For how long.
        lasts: Micros,
        /// Only when it has lasted longer than that.
        longer: bool,
        /// Only in an open episode of one of these facts; empty: anywhere.
        during: Vec<String>,
    },
    /// An episode has ended, or is so old, and has no such mark.
    Missing {
        /// The fact.
        fact: String,
        /// The mark.
        mark: String,
        /// Age at which the mark is expected, if the episode has not ended before.
        age: Option<Micros>,
    },
    /// All of these hold.
    AllOf(Vec<Condition>),
    /// One of these holds.
    AnyOf(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

impl std::fmt::Display for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fact)?;
        self.mark.iter().try_for_each(|mark| write!(f, ".{mark}"))
    }
}

impl Compare {
    /// Whether the value compares so with the threshold.
    #[must_use]
    pub fn holds(self, value: Decimal, threshold: Decimal) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::AtMost => value <= threshold,
            Self::Above => value > threshold,
            Self::Below => value < threshold,
        }
    }
}

impl Condition {
    /// When it holds, over all of time.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts) -> Intervals {
        match self {
            Self::Aggregate { of, measure, within, compare, threshold } => {
                sweep::aggregate(facts, of, *measure, *within, *compare, *threshold)
            }
            Self::Latest { of, compare, threshold } => latest(&series(facts, of), *compare, *threshold),
            Self::Rises { of } => rises(&series(facts, of)),
            Self::Open { of } => open(facts, of),
            Self::Closed { of } => {
                let begun = episodes(facts, of).filter_map(|episode| Some(episode.begun()?.at)).min();
                let since = Intervals::of(begun.map(|begun| Interval::new(begun, FOREVER)));
                since.and(&open(facts, of).not())
            }
            Self::Quiet { of, lasts, longer, during } => quiet(facts, of, *lasts, *longer, during),
            Self::Missing { fact, mark, age } => {
                Intervals::of(episodes(facts, fact).filter_map(|episode| missing(episode, mark, *age)))
            }
            Self::AllOf(all) => all.iter().fold(Intervals::always(), |held, one| held.and(&one.evaluate(facts))),
            Self::AnyOf(any) => any.iter().fold(Intervals::default(), |held, one| held.or(&one.evaluate(facts))),
            Self::Not(one) => one.evaluate(facts).not(),
        }
    }
}

/// The episodes of a fact.
pub(super) fn episodes<'f>(facts: &'f Facts, name: &str) -> impl Iterator<Item = &'f Episode> {
    let episodes = match facts.get(name) {
        Some(Fact::Episodes(episodes)) => Some(episodes),
        _ => None,
    };
    episodes.into_iter().flat_map(std::collections::BTreeMap::values)
}

/// The occurrences of a fact that is made of them.
pub(super) fn occurrences<'f>(facts: &'f Facts, name: &str) -> Option<&'f Occurrences> {
    match facts.get(name) {
        Some(Fact::Occurrences(occurrences)) => Some(occurrences),
        _ => None,
    }
}

/// Every value of an operand with its moment. A mark counts from the begin of its episode at the earliest: what is
/// said of something before it happens counts once it has happened.
pub(super) fn series(facts: &Facts, of: &Operand) -> Vec<Entry> {
    let Some(mark) = &of.mark else {
        return match facts.get(&of.fact) {
            Some(Fact::Occurrences(occurrences)) => occurrences.series.clone(),
            Some(Fact::Episodes(episodes)) => ordered(episodes.values().filter_map(Episode::begun).collect()),
            None => Vec::new(),
        };
    };
    let in_episode = |episode: &'_ Episode| -> Vec<Entry> {
        let (Some(begin), Some(marks)) = (episode.begun(), episode.marks.get(mark)) else {
            return Vec::new();
        };
        marks.series.iter().map(|entry| Entry { at: entry.at.max(begin.at), ..*entry }).collect()
    };
    ordered(episodes(facts, &of.fact).flat_map(in_episode).collect())
}

fn ordered(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable();
    entries
}

/// When an episode is open: stretches in order.
pub(super) fn stretches(episode: &Episode) -> Vec<Interval> {
    let end = episode.ended().unwrap_or(FOREVER);
    if episode.states.is_empty() {
        return episode.begun().map(|begin| Interval::new(begin.at, end)).into_iter().collect();
    }
    let mut stretches: Vec<Interval> = Vec::new();
    // Of equal moments the last telling counts.
    for state in episode.states.chunk_by(|one, next| one.at == next.at).filter_map(<[Entry]>::last) {
        let opened = stretches.last_mut().filter(|last| last.until == FOREVER);
        match (opened, state.value.is_zero()) {
            (Some(last), true) => last.until = state.at,
            (None, false) => stretches.push(Interval::new(state.at, FOREVER)),
            _ => {} // said again
        }
    }
    stretches.into_iter().map(|stretch| Interval { until: stretch.until.min(end), ..stretch }).collect()
}

fn open(facts: &Facts, of: &str) -> Intervals {
    Intervals::of(episodes(facts, of).flat_map(stretches)).merged()
}

/// The value that counts from a moment on: of equal moments that of the latest telling.
fn latest(series: &[Entry], compare: Compare, threshold: Decimal) -> Intervals {
    let until = |index: usize| series.get(index + 1).map_or(FOREVER, |next| next.at);
    let holds = |(index, entry): (usize, &Entry)| {
        compare.holds(entry.value, threshold).then(|| Interval::new(entry.at, until(index)))
    };
    Intervals::of(series.iter().enumerate().filter_map(holds))
}

fn rises(series: &[Entry]) -> Intervals {
    let first = sweep::rise(series).map(|entry| Interval::new(entry.at, FOREVER));
    Intervals::of(first)
}

fn missing(episode: &Episode, mark: &str, age: Option<Micros>) -> Option<Interval> {
    let old = age.and_then(|age| Some(episode.begun()?.at.saturating_add(age)));
    let expected = [episode.ended(), old].into_iter().flatten().min()?;
    let given = episode.marks.get(mark).and_then(|marks| marks.first.first()).map(|mark| mark.at);
    Some(Interval::new(expected, given.unwrap_or(FOREVER)))
}

fn quiet(facts: &Facts, of: &[Operand], lasts: Micros, longer: bool, during: &[String]) -> Intervals {
    let of_facts = of.iter().filter(|operand| operand.mark.is_none());
    let mut common: Vec<Run> = of_facts.flat_map(|operand| runs(facts, &operand.fact)).collect();
    common.sort_unstable();
    if during.is_empty() {
        let runs = joined(&common, lasts);
        let pauses = runs.iter().enumerate().map(|(index, run)| {
            let next = runs.get(index + 1).map_or(FOREVER, |next| next.first.at);
            pause(run.last.at, next, lasts, longer)
        });
        return Intervals::of(pauses);
    }
    let joined_common = joined(&common, lasts);
    let mut pauses = Vec::new();
    let mut without_marks: Vec<Interval> = Vec::new();
    for episode in during.iter().flat_map(|fact| episodes(facts, fact)) {
        let own = of.iter().filter_map(|operand| episode.marks.get(operand.mark.as_deref()?));
        let mut own: Vec<Run> = own.flat_map(|marks| &marks.runs).copied().collect();
        if own.is_empty() {
            without_marks.extend(stretches(episode));
            continue;
        }
        own.extend(&common);
        own.sort_unstable();
        let runs = joined(&own, lasts);
        stretches(episode).into_iter().for_each(|stretch| pauses_in(stretch, &runs, lasts, longer, false, &mut pauses));
    }
    // Of stretches without marks of their own, one that lies within another has the same pauses but for its first.
    without_marks.sort_unstable_by_key(|stretch| (stretch.from, std::cmp::Reverse(stretch.until)));
    let mut end = super::interval::BEGINNING;
    for stretch in without_marks {
        let only_first = stretch.until <= end;
        end = end.max(stretch.until);
        pauses_in(stretch, &joined_common, lasts, longer, only_first, &mut pauses);
    }
    Intervals::of(pauses)
}

/// The runs of a fact; of episodes, their begins.
fn runs(facts: &Facts, name: &str) -> Vec<Run> {
    match facts.get(name) {
        Some(Fact::Occurrences(occurrences)) => occurrences.runs.clone(),
        Some(Fact::Episodes(episodes)) => {
            let mark = |episode: &Episode| {
                let begin = episode.begun()?;
                let mark = super::fact::Mark { at: begin.at, event: begin.event };
                Some(Run { first: mark, last: mark })
            };
            episodes.values().filter_map(mark).collect()
        }
        None => Vec::new(),
    }
}

/// The pauses of one open stretch, which counts as something itself when it begins; or only those from its begin on.
fn pauses_in(
    stretch: Interval,
    runs: &[Run],
    lasts: Micros,
    longer: bool,
    only_first: bool,
    pauses: &mut Vec<Interval>,
) {
    let mut last = stretch.from;
    let begin = runs.partition_point(|run| run.last.at < stretch.from);
    for run in &runs[begin..] {
        if run.first.at >= stretch.until {
            break;
        }
        pauses.push(pause(last, run.first.at.min(stretch.until), lasts, longer));
        last = last.max(run.last.at);
        if only_first && last > stretch.from {
            return;
        }
    }
    pauses.push(pause(last, stretch.until, lasts, longer));
}

/// From when on a pause has lasted: empty when it ends before. Inside a run there is none.
fn pause(last: Micros, next: Micros, lasts: Micros, longer: bool) -> Interval {
    let due = last.saturating_add(lasts);
    match longer {
        true => Interval::after(due, next),
        false => Interval::new(due, next),
    }
}

impl From<&Entry> for Moment {
    fn from(entry: &Entry) -> Self {
        Self { at: entry.at, value: entry.value }
    }
}
