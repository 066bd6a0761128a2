//! What the rules say of one person at a moment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::text;
use super::explain::{Explanation, explain};
use super::fact::{Episode, Fact, Facts};
use super::interval::{FOREVER, Intervals, Micros};
use super::{Flag, Journey, Shows};

/// A flag that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// `<flag>@<version>`
    pub rule: String,
    /// Since when.
    pub since: Micros,
    /// When it expires, for flags that do.
    pub expires: Option<Micros>,
}

/// A milestone that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// `<milestone>@<version>`
    pub rule: String,
    /// When.
    pub at: Micros,
}

/// A value in the summary column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    /// It happened.
    Ever,
    /// So often.
    Count(u64),
    /// Last at.
    Last(Micros),
}

/// All that the rules say of one person: what the tables show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Flags that hold, by name. One that does not hold is not there.
    pub flags: BTreeMap<String, Held>,
    /// Milestones that were reached, by name.
    pub milestones: BTreeMap<String, Reached>,
    /// The summary.
    pub summary: BTreeMap<String, Shown>,
    /// When the flags change next if nothing happens.
    pub next_change: Option<Micros>,
}

impl Verdict {
    /// Whether another verdict tells of other flags or milestones, or of other moments.
    #[must_use]
    pub fn tells_otherwise(&self, other: &Self) -> bool {
        let flags = |verdict: &Self| -> Vec<(String, Micros)> {
            verdict.flags.iter().map(|(name, held)| (name.clone(), held.since)).collect()
        };
        let milestones = |verdict: &Self| -> Vec<(String, Micros)> {
            verdict.milestones.iter().map(|(name, reached)| (name.clone(), reached.at)).collect()
        };
        flags(self) != flags(other) || milestones(self) != milestones(other)
    }
}

/// Evaluates all rules at a moment.
///
/// Flags see what is dated up to the moment. Milestones and the summary count everything at once, also what is dated
/// later, so they do not change by the passing of time.
#[must_use]
pub fn evaluate(journey: &Journey, facts: &Facts, now: Micros) -> Verdict {
    let mut verdict = Verdict::default();
    for flag in &journey.flags {
        let held = when_held(flag, facts);
        if let Some(holding) = held.at(now) {
            let expires = flag.expires_after.map(|_| holding.until).filter(|until| *until != FOREVER);
            let held = Held { rule: flag.rule.clone(), since: holding.since, expires };
            verdict.flags.insert(flag.name.clone(), held);
        }
        verdict.next_change = [verdict.next_change, held.next_change(now)].into_iter().flatten().min();
    }
    for milestone in &journey.milestones {
        if let Some(at) = milestone.reached.evaluate(facts).first() {
            verdict.milestones.insert(milestone.name.clone(), Reached { rule: milestone.rule.clone(), at });
        }
    }
    for key in &journey.summary {
        if let Some(shown) = facts.get(&key.fact).and_then(|fact| shown(fact, key.shows)) {
            verdict.summary.insert(key.name.clone(), shown);
        }
    }
    verdict
}

/// When a flag holds, its expiry taken into account.
#[must_use]
pub fn when_held(flag: &Flag, facts: &Facts) -> Intervals {
    let held = flag.holds.evaluate(facts);
    match flag.expires_after {
        Some(lasts) => held.at_most_for(lasts),
        None => held,
    }
}

/// Explains a flag: its condition, cut off where the flag has expired.
#[must_use]
pub fn explain_flag(flag: &Flag, facts: &Facts, now: Micros) -> Explanation {
    let mut explanation = explain(&flag.holds, facts, now);
    if flag.expires_after.is_some() {
        let holding = when_held(flag, facts).at(now);
        explanation.holds = holding.is_some();
        explanation.since = holding.map(|holding| text(holding.since));
        explanation.until = holding.map(|holding| holding.until).filter(|until| *until != FOREVER).map(text);
    }
    explanation
}

fn shown(fact: &Fact, shows: Shows) -> Option<Shown> {
    let (count, last) = match fact {
        Fact::Occurrences(occurrences) => (occurrences.count, occurrences.last.map(|mark| mark.at)),
        Fact::Episodes(episodes) => {
            let begun = || episodes.values().filter_map(Episode::begun);
            (begun().count() as u64, begun().map(|begin| begin.at).max())
        }
    };
    match shows {
        Shows::Ever => last.map(|_| Shown::Ever),
        Shows::Count => Some(Shown::Count(count)).filter(|_| count > 0),
        Shows::Last => last.map(Shown::Last),
    }
}
