//! Why a rule says what it says: every operand with its value and the events behind it.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::condition::{Compare, Condition, Measure, Operand, occurrences, series, stretches};
use super::fact::{Entry, Episode, Fact, Facts, Occurrences};
use super::interval::{BEGINNING, FOREVER, Intervals, Micros};
use super::{event::text, sweep};

/// Events listed per operand.
const EVENTS_MAX: usize = 10;

/// A condition, what it says at a moment, and why.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Explanation {
    /// The condition, in words.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// Since when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When it ends, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What it was evaluated from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operands: Vec<Value>,
    /// What would change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
    /// The conditions that it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explanation>,
}

/// An operand's value and the events behind it.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Value {
    /// The fact, its mark, or the key of an episode.
    pub name: String,
    /// Its value at that moment, in words.
    pub value: String,
    /// The events that it comes from; of many, the last ones.
    pub events: Vec<Uuid>,
}

/// Explains a condition at a moment.
#[must_use]
pub fn explain(condition: &Condition, facts: &Facts, now: Micros) -> Explanation {
    let held = condition.evaluate(facts);
    let holding = held.at(now);
    let parts = match condition {
        Condition::AllOf(list) | Condition::AnyOf(list) => list.iter().map(|one| explain(one, facts, now)).collect(),
        Condition::Not(one) => vec![explain(one, facts, now)],
        _ => Vec::new(),
    };
    Explanation {
        condition: describe(condition),
        holds: holding.is_some(),
        since: holding.map(|holding| holding.since).filter(|since| *since != BEGINNING).map(text),
        until: holding.map(|holding| holding.until).filter(|until| *until != FOREVER).map(text),
        operands: operands(condition, facts, now),
        changes: changes(condition, &held, facts, now),
        parts,
    }
}

/// A condition in words.
#[must_use]
pub fn describe(condition: &Condition) -> String {
    match condition {
        Condition::Aggregate { of, measure, within, compare, threshold } => {
            let within = within.map(|within| format!(" within {}", lasting(within))).unwrap_or_default();
            format!("{} of {of}{within} {} {threshold}", word(*measure), sign(*compare))
        }
        Condition::Latest { of, compare, threshold } => format!("latest {of} {} {threshold}", sign(*compare)),
        Condition::Rises { of } => format!("{of} rises above all earlier ones"),
        Condition::Open { of } => format!("{of} is open"),
        Condition::Closed { of } => format!("{of} is closed"),
        Condition::Quiet { of, lasts, longer, during } => {
            let names: Vec<String> = of.iter().map(ToString::to_string).collect();
            let during = if during.is_empty() { String::new() } else { format!(" during {}", during.join(", ")) };
            let more = if *longer { "more than " } else { "" };
            format!("no {} for {more}{}{during}", names.join(", "), lasting(*lasts))
        }
        Condition::Missing { fact, mark, age } => {
            let age = age.map(|age| format!(" or is {} old", lasting(age))).unwrap_or_default();
            format!("{fact} has ended{age} without {mark}")
        }
        Condition::AllOf(_) => "all of".to_owned(),
        Condition::AnyOf(_) => "any of".to_owned(),
        Condition::Not(_) => "not".to_owned(),
    }
}

const fn word(measure: Measure) -> &'static str {
    match measure {
        Measure::Count => "count",
        Measure::Sum => "sum",
        Measure::Mean => "mean",
    }
}

const fn sign(compare: Compare) -> &'static str {
    match compare {
        Compare::AtLeast => "at least",
        Compare::AtMost => "at most",
        Compare::Above => "above",
        Compare::Below => "below",
    }
}

fn lasting(micros: Micros) -> String {
    let duration = std::time::Duration::from_micros(micros.unsigned_abs());
    let hours = duration.as_secs() / 3600;
    match duration.as_secs().is_multiple_of(3600) && hours >= 24 && hours.is_multiple_of(24) {
        true => format!("{} d", hours / 24), // a day is 24 hours; humantime would make months of 30 of them
        false => humantime::format_duration(duration).to_string(),
    }
}

fn operands(condition: &Condition, facts: &Facts, now: Micros) -> Vec<Value> {
    match condition {
        Condition::Aggregate { of, measure, within, compare, threshold } => {
            let kept = sweep::least(*compare, *threshold).unwrap_or_else(|| sweep::most(*compare, *threshold) + 1);
            vec![aggregated(of, *measure, *within, kept, facts, now)]
        }
        Condition::Latest { of, .. } | Condition::Rises { of } => {
            let seen: Vec<Entry> = series(facts, of).into_iter().filter(|entry| entry.at <= now).collect();
            vec![Value {
                name: of.to_string(),
                value: seen.last().map_or_else(
                    || "nothing yet".to_owned(),
                    |last| format!("{} at {}, of {} values", last.value, text(last.at), seen.len()),
                ),
                events: last_events(seen.iter().map(|entry| entry.event)),
            }]
        }
        Condition::Open { of } | Condition::Closed { of } => stories(facts, of, None, now),
        Condition::Missing { fact, mark, .. } => stories(facts, fact, Some(mark), now),
        Condition::Quiet { of, during, .. } => {
            let of_facts = of.iter().filter(|operand| operand.mark.is_none());
            let mut values: Vec<Value> = of_facts.map(|operand| last_of(operand, facts, now)).collect();
            let mark = of.iter().find_map(|operand| operand.mark.as_ref());
            values.extend(during.iter().flat_map(|during| stories(facts, during, mark, now)));
            values
        }
        Condition::AllOf(_) | Condition::AnyOf(_) | Condition::Not(_) => Vec::new(),
    }
}

/// `enough` is how many of the first are kept: when there are as many, there may be more.
fn aggregated(
    of: &Operand,
    measure: Measure,
    within: Option<Micros>,
    enough: usize,
    facts: &Facts,
    now: Micros,
) -> Value {
    let kept = occurrences(facts, &of.fact).filter(|_| of.mark.is_none());
    if let Some(kept) = kept.filter(|kept| kept.series.is_empty()) {
        return match within {
            Some(_) => last_of(of, facts, now),
            None => first_few(of, kept, enough, now),
        };
    }
    let young = |entry: &&Entry| entry.at <= now && within.is_none_or(|within| entry.at > now.saturating_sub(within));
    let all = series(facts, of);
    let seen: Vec<&Entry> = all.iter().filter(young).collect();
    let total = sweep::Total::of(seen.iter().copied());
    let mean = total.sum.checked_div(Decimal::from(total.count)).map(|mean| mean.round_dp(6).normalize());
    let value = match (measure, mean) {
        (Measure::Count, _) => format!("count {}", total.count),
        (Measure::Mean, Some(mean)) => format!("mean {mean} of {}", total.count),
        (Measure::Mean, None) => "nothing yet".to_owned(),
        (Measure::Sum, _) => format!("sum {} of {}", total.sum.normalize(), total.count),
    };
    Value { name: of.to_string(), value, events: last_events(seen.iter().map(|entry| entry.event)) }
}

fn first_few(of: &Operand, kept: &Occurrences, enough: usize, now: Micros) -> Value {
    let seen: Vec<_> = kept.first.iter().filter(|mark| mark.at <= now).collect();
    let more = if seen.len() >= enough { " or more" } else { "" };
    let value = format!("count {}{more}", seen.len());
    Value { name: of.to_string(), value, events: last_events(seen.iter().map(|mark| mark.event)) }
}

/// The last occurrence up to a moment.
fn last_of(of: &Operand, facts: &Facts, now: Micros) -> Value {
    let name = of.to_string();
    let runs = occurrences(facts, &of.fact).map(|kept| kept.runs.as_slice()).unwrap_or_default();
    match runs.iter().rev().find(|run| run.first.at <= now) {
        Some(run) if run.last.at <= now => {
            Value { name, value: format!("last at {}", text(run.last.at)), events: vec![run.last.event] }
        }
        Some(run) => {
            let value = format!("without a pause from {} to {}", text(run.first.at), text(run.last.at));
            Value { name, value, events: vec![run.first.event, run.last.event] }
        }
        None => Value { name, value: "nothing yet".to_owned(), events: Vec::new() },
    }
}

/// What there is to tell of each episode that has begun, the latest ones.
fn stories(facts: &Facts, name: &str, mark: Option<&String>, now: Micros) -> Vec<Value> {
    let Some(Fact::Episodes(episodes)) = facts.get(name) else {
        return vec![Value { name: name.to_owned(), value: "nothing yet".to_owned(), events: Vec::new() }];
    };
    let begun = |episode: &Episode| stretches(episode).first().map(|stretch| stretch.from).filter(|at| *at <= now);
    let mut told: Vec<(Micros, &String, &Episode)> =
        episodes.iter().filter_map(|(key, episode)| Some((begun(episode)?, key, episode))).collect();
    told.sort_unstable_by_key(|(at, key, _)| (*at, *key));
    told.iter().rev().take(EVENTS_MAX).map(|(_, key, episode)| story(name, key, episode, mark, now)).collect()
}

fn story(name: &str, key: &str, episode: &Episode, mark: Option<&String>, now: Micros) -> Value {
    let stretches = stretches(episode);
    let current = stretches.iter().rev().find(|stretch| stretch.from <= now);
    let mut events: Vec<Uuid> = episode.begun().iter().map(|begin| begin.event).collect();
    events.extend(episode.states.iter().rfind(|state| state.at <= now).map(|state| state.event));
    let mut value = match current {
        Some(stretch) if now < stretch.until => format!("open since {}", text(stretch.from)),
        Some(stretch) => format!("ended at {}", text(stretch.until)),
        None => "not open".to_owned(),
    };
    events.extend(episode.end.filter(|end| end.at <= now).map(|end| end.event));
    if let Some(mark) = mark {
        let marks = episode.marks.get(mark);
        let last = marks.and_then(|marks| marks.last.or_else(|| marks.first.first().copied()));
        events.extend(last.map(|last| last.event));
        value += &last.map_or_else(|| format!(", no {mark}"), |last| format!(", last {mark} at {}", text(last.at)));
    }
    Value { name: format!("{name} {key}"), value, events }
}

fn last_events(events: impl DoubleEndedIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut last: Vec<Uuid> = events.rev().take(EVENTS_MAX).collect();
    last.reverse();
    last
}

/// What would change the answer: time, or what has to happen.
fn changes(condition: &Condition, held: &Intervals, facts: &Facts, now: Micros) -> Option<String> {
    let holds = held.at(now).is_some();
    let by_itself = held.next_change(now).map(|at| {
        let verb = if held.at(at).is_some() == holds { "is counted anew" } else { turn(holds) };
        format!("{verb} at {} unless something happens before", text(at))
    });
    let needed = match condition {
        Condition::Aggregate { of, measure: Measure::Count, within, compare, threshold } if !holds => {
            sweep::least(*compare, *threshold).map(|least| {
                let all = series(facts, of);
                let kept = occurrences(facts, &of.fact).filter(|_| of.mark.is_none() && all.is_empty());
                let marks = kept.map(|kept| kept.first.iter().filter(|mark| mark.at <= now).count());
                let young = |entry: &&Entry| {
                    entry.at <= now && within.is_none_or(|within| entry.at > now.saturating_sub(within))
                };
                let there = marks.unwrap_or_else(|| all.iter().filter(young).count());
                format!("begins to hold with {} more of {of}", least.saturating_sub(there))
            })
        }
        Condition::Open { of } => Some(if holds { format!("the last open {of} ends") } else { format!("{of} begins") }),
        Condition::Quiet { of, .. } if holds => {
            let names: Vec<String> = of.iter().map(ToString::to_string).collect();
            Some(format!("one of {} happens", names.join(", ")))
        }
        Condition::Missing { mark, .. } if holds => Some(format!("{mark} is given")),
        Condition::Latest { of, .. } => Some(format!("a later {of} on the other side of the threshold")),
        _ => None,
    };
    match (needed, by_itself) {
        (Some(needed), Some(by_itself)) => Some(format!("{needed}; {by_itself}")),
        (needed, by_itself) => needed.or(by_itself),
    }
}

const fn turn(holds: bool) -> &'static str {
    if holds { "ends" } else { "begins to hold" }
}
