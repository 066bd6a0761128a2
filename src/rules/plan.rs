//! What other rules would change, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::{EVENTS_MAX, Lacking, PEOPLE_MAX};
use crate::journey::Journey;
use crate::journey::event::text;
use crate::journey::explain::{Explanation, explain};
use crate::journey::fact::Facts;
use crate::journey::fold::fold;
use crate::journey::interval::Micros;
use crate::journey::verdict::{Verdict, evaluate, explain_flag};
use crate::store::{Connection, Error, Unit};

/// What would change for one person.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Difference {
    /// Whom it concerns.
    pub user_id: Uuid,
    /// `flag` or `milestone`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// `gain`, `lose`, or `move` when only its moment changes.
    pub change: &'static str,
    /// Since when it holds, or when it was reached, by the rules in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The same by the new rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Why, by the new rules; nothing for a rule that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Explanation>,
}

/// What other rules would change.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Plan {
    /// The moment for which it was evaluated.
    pub as_of: String,
    /// The rules are those in force.
    pub is_in_force: bool,
    /// Facts that had to be folded from the stored events, because the rules in force do not keep them.
    pub facts_folded: Vec<String>,
    /// How many stored events were read for that.
    pub events_read: usize,
    /// Stored events that no longer fit their contract, and were left out.
    pub unreadable: usize,
    /// People who were looked at.
    pub people: usize,
    /// How many people would see which change.
    pub counts: BTreeMap<String, BTreeMap<&'static str, usize>>,
    /// Everything that would change.
    pub differences: Vec<Difference>,
}

/// Evaluates the rules of the connection's domain beside those in force, on one snapshot. Changes nothing. `None`: rules
/// are being applied.
///
/// # Errors
/// As the database says.
pub async fn plan(connection: &mut Connection, as_of: Micros) -> Result<Option<Plan>, Error> {
    let new = Arc::clone(&connection.domain().journey);
    let mut unit = connection.begin_snapshot().await?;
    if unit.rules.applying.is_some() {
        unit.commit().await?;
        return Ok(None);
    }
    let in_force = Arc::clone(&unit.rules.applied.journey);
    let lacking = Lacking::between(&in_force, &new);
    let mut plan = Plan {
        as_of: text(as_of),
        is_in_force: in_force.hash == new.hash,
        facts_folded: lacking.journey.facts.iter().map(|fact| fact.name.clone()).collect(),
        ..Plan::default()
    };
    let mut folded = fold_history(&mut unit, &lacking, &mut plan).await?;
    let mut after = Uuid::nil();
    loop {
        let people = unit.people_after(after, PEOPLE_MAX).await?;
        let Some(last) = people.last() else {
            break;
        };
        after = *last;
        let standings = unit.load(&people.iter().copied().collect::<BTreeSet<_>>()).await?;
        for (person, standing) in standings {
            let before = evaluate(&in_force, &standing.facts, as_of);
            let facts = lacking.brought_over(&new, standing.facts, folded.remove(&person));
            plan.compare(person, &before, &new, &facts, as_of);
        }
    }
    // People who have no facts yet; whoever has another id by now is told of under that one.
    let newcomers = unit.existing(&folded.keys().copied().collect::<Vec<_>>()).await?;
    for (person, facts) in folded.into_iter().filter(|(person, _)| newcomers.contains(person)) {
        plan.compare(person, &Verdict::default(), &new, &facts, as_of);
    }
    unit.commit().await?;
    Ok(Some(plan))
}

async fn fold_history(unit: &mut Unit<'_>, lacking: &Lacking, plan: &mut Plan) -> Result<BTreeMap<Uuid, Facts>, Error> {
    let mut folded: BTreeMap<Uuid, Facts> = BTreeMap::new();
    let mut after = -1;
    if !lacking.is_empty() {
        unit.verify_whole().await?;
    }
    while !lacking.is_empty() {
        let chapter = unit.chapter((after, i64::MAX), &lacking.types, 0, EVENTS_MAX).await?;
        let Some(last) = chapter.last else {
            break;
        };
        after = last;
        plan.events_read += chapter.batch.messages.len();
        plan.unreadable += chapter.unreadable;
        for word in lacking.words(unit, &chapter).await? {
            fold(&lacking.journey, folded.entry(word.person).or_default(), &word);
        }
    }
    Ok(folded)
}

impl Plan {
    fn compare(&mut self, person: Uuid, before: &Verdict, new: &Journey, facts: &Facts, as_of: Micros) {
        self.people += 1;
        let after = evaluate(new, facts, as_of);
        let flags = |verdict: &Verdict| -> BTreeMap<String, Micros> {
            verdict.flags.iter().map(|(name, held)| (name.clone(), held.since)).collect()
        };
        let milestones = |verdict: &Verdict| -> BTreeMap<String, Micros> {
            verdict.milestones.iter().map(|(name, reached)| (name.clone(), reached.at)).collect()
        };
        let flag = |name: &str| {
            let flag = new.flags.iter().find(|flag| flag.name == name)?;
            Some(explain_flag(flag, facts, as_of))
        };
        // A milestone is explained for the moment at which it was reached.
        let milestone = |name: &str| {
            let rule = new.milestones.iter().find(|rule| rule.name == name)?;
            Some(explain(&rule.reached, facts, after.milestones.get(name).map_or(as_of, |reached| reached.at)))
        };
        self.differ(person, "flag", &flags(before), &flags(&after), flag);
        self.differ(person, "milestone", &milestones(before), &milestones(&after), milestone);
    }

    fn differ(
        &mut self,
        person: Uuid,
        kind: &'static str,
        before: &BTreeMap<String, Micros>,
        after: &BTreeMap<String, Micros>,
        reason: impl Fn(&str) -> Option<Explanation>,
    ) {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (was, is) = (before.get(name), after.get(name));
            let change = match (was, is) {
                (None, Some(_)) => "gain",
                (Some(_), None) => "lose",
                (was, is) if was != is => "move",
                _ => continue,
            };
            *self.counts.entry(format!("{kind} {name}")).or_default().entry(change).or_default() += 1;
            self.differences.push(Difference {
                user_id: person,
                kind,
                name: name.clone(),
                change,
                before: was.copied().map(text),
                after: is.copied().map(text),
                reason: reason(name),
            });
        }
    }
}
