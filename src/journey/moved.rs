//! What one event means for one person: the facts that its words are folded into, and the rules that ask for these.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::Journey;
use super::condition::Condition;
use super::explain::{Explanation, explain};
use super::fact::Facts;
use super::fold::{Word, fold};
use super::interval::Micros;
use super::verdict::explain_flag;

/// What an event means for a person, by the rules and facts of today.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Moved {
    /// Whom.
    pub user_id: Uuid,
    /// The signals of `journey.toml` that it gives.
    pub signals: BTreeSet<String>,
    /// The facts that they are folded into.
    pub facts: Vec<FactMoved>,
    /// Flags and milestones that ask for one of these facts.
    pub rules: Vec<RuleMoved>,
}

/// A fact that the event was folded into.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct FactMoved {
    /// Its name.
    pub name: String,
    /// What is kept of the fact names the event: it is the first, the last or another one that is kept singly.
    pub names_event: bool,
}

/// A rule that asks for a fact that the event was folded into.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct RuleMoved {
    /// `flag` or `milestone`.
    pub kind: &'static str,
    /// `<name>@<version>`
    pub rule: String,
    /// What it says now.
    pub holds: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The event is among those that the explanation of the rule lists.
    pub names_event: bool,
}

/// Follows the words of an event about one person into facts and rules.
#[must_use]
pub fn moved(journey: &Journey, person: Uuid, words: &[&Word], facts: &Facts, event: Uuid, now: Micros) -> Moved {
    let mut of_event = Facts::new();
    words.iter().for_each(|word| fold(journey, &mut of_event, word));
    let names_event = |name: &String| facts.get(name).is_some_and(|fact| fact.names(event));
    let told = |name: &String| FactMoved { name: name.clone(), names_event: names_event(name) };
    let is_asked = |condition: &Condition| of_event.keys().any(|fact| asks(condition, fact));
    let rule = |kind, rule: &String, explanation: &Explanation| RuleMoved {
        kind,
        rule: rule.clone(),
        holds: explanation.holds,
        since: explanation.since.clone(),
        names_event: lists(explanation, event),
    };
    let flags = journey.flags.iter().filter(|flag| is_asked(&flag.holds));
    let flags = flags.map(|flag| rule("flag", &flag.rule, &explain_flag(flag, facts, now)));
    let milestones = journey.milestones.iter().filter(|milestone| is_asked(&milestone.reached)).map(|milestone| {
        // Reached at the first moment at which it holds, also one that is dated later than now.
        let at = milestone.reached.evaluate(facts).first().unwrap_or(now);
        rule("milestone", &milestone.rule, &explain(&milestone.reached, facts, at))
    });
    Moved {
        user_id: person,
        signals: words.iter().map(|word| journey.signals[word.signal].name.clone()).collect(),
        facts: of_event.keys().map(told).collect(),
        rules: flags.chain(milestones).collect(),
    }
}

/// Whether a condition asks for a fact.
fn asks(condition: &Condition, fact: &str) -> bool {
    match condition {
        Condition::Aggregate { of, .. } | Condition::Latest { of, .. } | Condition::Rises { of } => of.fact == fact,
        Condition::Open { of } | Condition::Closed { of } => of == fact,
        Condition::Quiet { of, during, .. } => {
            of.iter().any(|one| one.fact == fact) || during.iter().any(|one| one == fact)
        }
        Condition::Missing { fact: of, .. } => of == fact,
        Condition::AllOf(parts) | Condition::AnyOf(parts) => parts.iter().any(|part| asks(part, fact)),
        Condition::Not(part) => asks(part, fact),
    }
}

fn lists(explanation: &Explanation, event: Uuid) -> bool {
    explanation.operands.iter().any(|operand| operand.events.contains(&event))
        || explanation.parts.iter().any(|part| lists(part, event))
}
