//! What is told to the outside when a verdict changes: events of our own, with ids that are made from what they tell.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::interval::Micros;
use super::verdict::{Held, Verdict};
use super::{Journey, Milestone};
use crate::derived_id::derived_id;

/// Under which types changes are published.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// A milestone was reached, or its time was corrected.
    pub milestone_reached: String,
    /// Flags of a person changed.
    pub profile_updated: String,
}

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id, also the `Nats-Msg-Id`.
    pub id: Uuid,
    /// Its type and subject.
    pub subject: String,
    /// The document.
    pub payload: String,
}

/// A verdict that became another one.
#[derive(Debug, Clone, Copy)]
pub struct Change<'v> {
    /// Whose.
    pub person: Uuid,
    /// What the rules said.
    pub before: &'v Verdict,
    /// What they say now.
    pub after: &'v Verdict,
    /// How often this person's flags have changed, with this.
    pub number: u64,
    /// When it was evaluated.
    pub now: Micros,
}

/// An instant as it is written in events.
#[must_use]
pub fn text(micros: Micros) -> String {
    instant(micros).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// An instant. What lies outside the calendar is cut to its bounds.
#[must_use]
pub fn instant(micros: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(if micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// The events that tell of a change. `number` counts the changes of the person's flags.
///
/// `source` names us in the envelope's free metadata, so that we know our own events when they come back.
#[must_use]
pub fn of_change(journey: &Journey, source: &str, change: &Change<'_>) -> Vec<Outgoing> {
    let Some(published) = &journey.published else {
        return Vec::new();
    };
    let Change { before, after, .. } = change;
    let mut outgoing = Vec::new();
    for (name, reached) in &after.milestones {
        let known = before.milestones.get(name).map(|known| known.at);
        if known != Some(reached.at)
            && let Some(milestone) = journey.milestones.iter().find(|milestone| milestone.name == *name)
        {
            outgoing.push(milestone_reached(published, source, change, milestone, reached.at));
        }
    }
    outgoing.extend(profile_updated(published, source, change));
    outgoing
}

fn milestone_id(name: &str, person: Uuid, at: Micros) -> Uuid {
    derived_id(&format!("milepost:milestone:{name}:{person}:{}", text(at)))
}

fn milestone_reached(
    published: &Published,
    source: &str,
    change: &Change<'_>,
    milestone: &Milestone,
    at: Micros,
) -> Outgoing {
    let person = change.person;
    let mut metadata = json!({"source": source, "rule": milestone.rule});
    if milestone.published_as.is_none() {
        metadata["extended"] = Value::Bool(true);
    }
    if let Some(known) = change.before.milestones.get(&milestone.name) {
        metadata["corrects"] = json!(milestone_id(&milestone.name, person, known.at));
    }
    let name = milestone.published_as.as_ref().unwrap_or(&milestone.name);
    let data = json!({"userId": person, "milestone": name, "reachedAt": text(at)});
    envelope(milestone_id(&milestone.name, person, at), &published.milestone_reached, &data, &metadata, change.now)
}

/// One event for all flags of a person that changed together.
fn profile_updated(published: &Published, source: &str, change: &Change<'_>) -> Option<Outgoing> {
    let Change { person, before, after, number, now } = *change;
    let names: std::collections::BTreeSet<&String> = before.flags.keys().chain(after.flags.keys()).collect();
    let changed: Vec<&String> =
        names.into_iter().filter(|name| before.flags.get(*name) != after.flags.get(*name)).collect();
    if changed.is_empty() {
        return None;
    }
    let flag = |held: Option<&Held>| match held {
        Some(held) => json!({"value": true, "setAt": text(held.since), "setByRule": held.rule,
                             "expiresAt": held.expires.map(text)}),
        None => json!({"value": false}),
    };
    let flags: serde_json::Map<String, Value> =
        changed.iter().map(|name| ((*name).clone(), flag(after.flags.get(*name)))).collect();
    let fields: Vec<String> = changed.iter().map(|name| format!("flags.{name}")).collect();
    let data = json!({"userId": person, "updatedFields": fields, "updatedAt": text(now), "trigger": "rule",
                      "flags": flags});
    // The moment too: the number begins anew where facts are built from nothing, the outbox does not.
    let id = derived_id(&format!("milepost:profile:{person}:{number}:{}", text(now)));
    Some(envelope(id, &published.profile_updated, &data, &json!({"source": source}), now))
}

fn envelope(id: Uuid, subject: &str, data: &Value, metadata: &Value, now: Micros) -> Outgoing {
    let document = json!({"id": id, "version": "v1", "timestamp": text(now), "type": subject, "data": data,
                          "metadata": metadata});
    Outgoing { id, subject: subject.to_owned(), payload: document.to_string() }
}
