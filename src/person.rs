//! What somebody may ask for: everything that is held of them, and to be forgotten.
//!
//! Erasing is an event, and that event's projection does it: it redacts tables and names the subjects whose keys are to be
//! destroyed. So it is in the log like everything else, and whatever comes late or once more meets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::batch::{Batch, Message, Telling as Told};
use crate::decode::decode;
use crate::document::strip;
use crate::domain::{Domain, Privacy, Telling};
use crate::event::Outcome;
use crate::instant;
use crate::pipeline::{Run, process};
use crate::privacy::keyring::KeyRing;
use crate::store::{Connection, TRANSACTION_SECONDS_MAX, within};

/// What erasing cannot reach, said in each receipt.
const NOT_REACHED: [&str; 5] = [
    "ClickHouse, where it was fed before there were keys: `x-pii` fields are never there, other free fields are until \
     `milepost rebuild analytics` and `--drop-previous`",
    "messages in the stream: they stay in the clear until the broker's retention removes them",
    "backups and archives of months: what is encrypted there can no longer be read once no copy of subject_keys from \
     before this moment is left; what was stored before there were keys stays in the clear in them",
    "events whose type has no contract: their personal fields are encrypted, but nobody knows whose they are",
    "the ids of the person: rows and events of others that name them keep them, in Postgres and in ClickHouse",
];

/// What was done to forget somebody.
#[derive(Debug)]
pub struct Receipt {
    /// Who, by the id that tables have.
    pub person: Uuid,
    /// The event that erased them.
    pub event: Message,
    /// What tables held of them before, and what they hold now, by table.
    pub rows: BTreeMap<String, (u64, u64)>,
    /// Dead letters in which they were found.
    pub letters: u64,
    /// Keys that were destroyed.
    pub keys: i64,
    /// Nothing of it was done.
    pub is_rehearsal: bool,
}

/// Everything that is held of a person, redacted; `None` when nobody is known by that id.
///
/// # Errors
/// As the database says.
pub async fn export(connection: &mut Connection, privacy: &Privacy, person: Uuid) -> anyhow::Result<Option<Value>> {
    let domain = connection.domain();
    let held = connection.held_of(privacy, person).await?;
    if held.is_empty() {
        return Ok(None);
    }
    let mut tables: Map<String, Value> = Map::new();
    for (table, row) in held {
        if let Value::Array(rows) = tables.entry(table).or_insert_with(|| json!([])) {
            rows.push(row);
        }
    }
    let traces = connection.traces_of(privacy, person).await?;
    let ids: Vec<String> = traces.into_iter().filter(|trace| Uuid::try_parse(trace).is_ok()).collect();
    let nothing = BTreeSet::new();
    let event = |named: crate::store::Named| {
        let document: Value =
            serde_json::from_str(&strip(&named.payload, &domain.layout.personal, &nothing).text).unwrap_or_default();
        json!({"id": named.event_id, "type": named.event_type, "timestamp": instant::canonical(named.timestamp),
            "data": document.get("data")})
    };
    let events: Vec<Value> = connection.events_of(&ids).await?.into_iter().map(event).collect();
    Ok(Some(json!({"person": person, "tables": tables, "events": events})))
}

/// Tells of something that was done for a person, as an event that has its effect at once.
///
/// # Errors
/// As the database says; or when the domain's own event does not fit its contract.
pub async fn tell(
    connection: &mut Connection,
    telling: &Telling,
    (person, id): (Uuid, Uuid),
    is_rehearsal: bool,
) -> anyhow::Result<Option<Message>> {
    let at = Utc::now().trunc_subsecs(6);
    let Some(data) = connection.told_of(telling, (person, id), at).await? else {
        return Ok(None);
    };
    let domain = connection.domain();
    let message = message(&domain, telling, at, data);
    if let Err(rejection) = &message.content {
        anyhow::bail!("the event does not fit its contract: {:?} {}", rejection.field, rejection.message);
    }
    let batch = Batch { messages: vec![message.clone()] };
    let run = Run { id: Uuid::now_v7(), incarnation: None, telling: Told::Told, is_rehearsal };
    let processing = Box::pin(process(connection, &run, &batch, Utc::now));
    let ledger = within(TRANSACTION_SECONDS_MAX, "applying the event", processing).await?;
    let outcome = ledger.outcomes.first().copied();
    anyhow::ensure!(outcome == Some(Outcome::Applied), "the event was not applied, but {outcome:?}");
    Ok(Some(message))
}

fn message(domain: &Domain, telling: &Telling, at: DateTime<Utc>, data: Value) -> Message {
    let contract = &domain.contracts[telling.contract];
    let document = json!({"id": Uuid::now_v7(), "type": contract.event_type, "version": contract.version,
        "timestamp": instant::canonical(at), "data": data, "metadata": {"source": domain.own_source}});
    let payload = Bytes::from(document.to_string());
    Message {
        content: decode(domain, &contract.event_type, &payload),
        subject: contract.event_type.clone(),
        payload,
        headers: None,
        sequence: None,
        published_at: at,
    }
}

/// Forgets a person; `None` when nobody is known by that id. What is cut short is done by another call.
///
/// # Errors
/// As the database says; when a rebuild is under way, or has left a generation of tables.
pub async fn erase(
    connection: &mut Connection,
    privacy: &Privacy,
    ring: &Arc<KeyRing>,
    (person, request): (Uuid, Uuid),
    is_rehearsal: bool,
) -> anyhow::Result<Option<Receipt>> {
    let others = connection.other_generations().await?;
    anyhow::ensure!(
        others.is_empty(),
        "there are other generations of tables, with rows of their own: {}\n  \
         hint: wait for `milepost rebuild`, or run `milepost rebuild --drop-previous`",
        others.join(", ")
    );
    let before = count(connection, privacy, person).await?;
    if before.is_empty() {
        return Ok(None);
    }
    if !is_rehearsal {
        encrypt_what_is_plain(connection, ring).await?;
    }
    let person = own_id(connection, privacy, (person, request)).await?.unwrap_or(person);
    let letters = letters(connection, privacy, person, is_rehearsal).await?;
    let Some(event) = tell(connection, &privacy.erased, (person, request), is_rehearsal).await? else {
        return Ok(None);
    };
    let after = count(connection, privacy, person).await?;
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let number = |of: &BTreeMap<String, u64>, name: &String| of.get(name).copied().unwrap_or_default();
    let rows = names.into_iter().map(|name| (name.clone(), (number(&before, name), number(&after, name)))).collect();
    let keys = connection.keys_destroyed(person).await?;
    Ok(Some(Receipt { person, event, rows, letters, keys, is_rehearsal }))
}

/// The id that the event will name, whichever of their ids was given.
async fn own_id(connection: &mut Connection, privacy: &Privacy, who: (Uuid, Uuid)) -> anyhow::Result<Option<Uuid>> {
    let domain = connection.domain();
    let field = domain.contracts[privacy.erased.contract].user.as_deref().unwrap_or_default();
    let data = connection.told_of(&privacy.erased, who, Utc::now()).await?;
    Ok(data.and_then(|data| data.get(field)?.as_str()?.parse().ok()))
}

/// Encrypts what was stored before there were keys, so that destroying keys reaches it.
///
/// # Errors
/// As the database says.
pub async fn encrypt_what_is_plain(connection: &mut Connection, ring: &KeyRing) -> anyhow::Result<(u64, u64)> {
    let last = connection.last_position().await?;
    let (mut events, mut letters, mut after) = (0, 0, 0);
    while let Some((_, count)) = connection.encrypt_events(ring, last).await? {
        events += count;
    }
    while let Some((reached, count)) = connection.encrypt_dead_letters(ring, after).await? {
        letters += count;
        after = reached;
    }
    Ok((events, letters))
}

/// Rows of each table that are held of a person.
async fn count(connection: &mut Connection, privacy: &Privacy, person: Uuid) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (table, _) in connection.held_of(privacy, person).await? {
        *counts.entry(table).or_default() += 1;
    }
    Ok(counts)
}

/// Erases the dead letters in which a person is found; gives how many.
async fn letters(
    connection: &mut Connection,
    privacy: &Privacy,
    person: Uuid,
    is_rehearsal: bool,
) -> anyhow::Result<u64> {
    let traces = connection.traces_of(privacy, person).await.context("looking by what the person is found")?;
    let traces: Vec<String> =
        traces.into_iter().map(|trace| trace.to_lowercase()).filter(|trace| !trace.is_empty()).collect();
    let (mut found, mut after) = (0, 0);
    while let Some((last, letters)) = connection.letters_with(&traces, after).await? {
        after = last;
        found += letters.len() as u64;
        if !is_rehearsal && !letters.is_empty() {
            connection.erase_letters(person, &letters).await?;
        }
    }
    Ok(found)
}

impl Receipt {
    /// As it is printed.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let event = self.event.content.as_ref().ok();
        let rows: Map<String, Value> = self
            .rows
            .iter()
            .map(|(table, (before, after))| (table.clone(), json!({"before": before, "after": after})))
            .collect();
        json!({
            "person": self.person,
            "dry_run": self.is_rehearsal,
            "event": event.map(|event| event.id),
            "erased_at": event.map(|event| instant::canonical(event.timestamp)),
            "rows": rows,
            "keys_destroyed": self.keys,
            "dead_letters_erased": self.letters,
            "not_reached": NOT_REACHED,
        })
    }
}
