//! `milepost waiting`: which events are held back, since when, and for what.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Settings, print, verify_version};
use crate::error::Failure;
use crate::store::Connection;
use crate::store::waits::{Held, Waits};

/// What to ask of waiting events.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Count them by cause, and list them, oldest first
    List {
        /// Only those that wait at least so long, such as 15m or 2h
        #[arg(long, value_name = "DURATION")]
        older_than: Option<humantime::Duration>,
        /// At most so many events, and as many of the rows that are missing; the counts are of all
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What one of them waits for, and what would bring it
    Show {
        /// The event's id
        event: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    match verb {
        Verb::List { older_than, limit, json } => {
            let seconds = older_than.map_or(0.0, |duration| duration.as_secs_f64());
            let waits = connection.waits(seconds, i64::from(*limit)).await?;
            if *json { print(&as_json(&waits).to_string()) } else { tell(&waits) }?;
        }
        Verb::Show { event, json } => show(&mut connection, *event, *json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn age_seconds(since: DateTime<Utc>) -> i64 {
    (Utc::now() - since).num_seconds().max(0)
}

fn age(since: DateTime<Utc>) -> String {
    humantime::format_duration(std::time::Duration::from_secs(age_seconds(since).unsigned_abs())).to_string()
}

fn event(held: &Held) -> Value {
    json!({"event_id": held.event_id, "type": held.event_type, "position": held.position,
           "waiting_since": held.waiting_since, "age_seconds": age_seconds(held.waiting_since),
           "missing": held.missing.0})
}

fn as_json(waits: &Waits) -> Value {
    json!({"waiting": waits.events, "causes": waits.causes, "by_type": waits.by_type, "by_cause": waits.by_cause,
           "events": waits.held.iter().map(event).collect::<Vec<_>>()})
}

fn tell(waits: &Waits) -> Result<(), Failure> {
    if waits.events == 0 {
        return print("nothing waits");
    }
    print(&format!("{} events wait for {} rows", waits.events, waits.causes))?;
    print(&format!("\n{:>9} {:>9}  {:<36} {:<16} longest", "events", "rows", "type", "waits for"))?;
    for kind in &waits.by_type {
        let (events, keys, longest) = (kind.events, kind.keys, age(kind.oldest));
        print(&format!("{events:>9} {keys:>9}  {:<36} {:<16} {longest}", kind.event_type, kind.entity))?;
    }
    print(&format!("\n{:>9}  {:<16} {:<36} longest", "events", "missing", "key"))?;
    for cause in &waits.by_cause {
        print(&format!("{:>9}  {:<16} {:<36} {}", cause.events, cause.entity, cause.key, age(cause.oldest)))?;
    }
    print(&format!("\n{:<36} {:<36} {:<16} waits for", "event", "type", "age"))?;
    for held in &waits.held {
        let missing: Vec<String> = held.missing.0.iter().map(|one| format!("{} {}", one.entity, one.key)).collect();
        let age = age(held.waiting_since);
        print(&format!("{} {:<36} {age:<16} {}", held.event_id, held.event_type, missing.join(", ")))?;
    }
    let rest = waits.events - waits.held.len() as i64;
    if rest > 0 {
        print(&format!("… and {rest} more; --limit shows more of them"))?;
    }
    Ok(())
}

async fn show(connection: &mut Connection, id: Uuid, as_object: bool) -> Result<(), Failure> {
    let Some(held) = connection.held(id).await? else {
        let hint = format!("hint: `milepost explain {id}` says what became of it");
        return Err(anyhow::anyhow!("the event {id} does not wait\n  {hint}").into());
    };
    let domain = connection.domain();
    let mut document = event(&held);
    let mut missing = Vec::new();
    for one in &held.missing.0 {
        let provides = domain.contracts.iter().filter(|contract| contract.provides.contains(&one.entity));
        let brought_by: Vec<&String> = provides.map(|contract| &contract.event_type).collect();
        let is_there = connection.is_there(one).await?;
        missing.push(json!({"entity": one.entity, "key": one.key, "is_there": is_there, "brought_by": brought_by}));
    }
    document["missing"] = missing.clone().into();
    if as_object {
        return print(&document.to_string());
    }
    let (kind, position, age) = (&held.event_type, held.position, age(held.waiting_since));
    print(&format!("{id}  {kind}, at position {position}, waits for {age}, since {}", held.waiting_since))?;
    for one in &missing {
        let [entity, key] = ["entity", "key"].map(|name| one[name].as_str().unwrap_or_default());
        let brought_by: Vec<&str> =
            one["brought_by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let state = match one["is_there"] == true {
            true => "is there by now: the event is released within a second of a running service".to_owned(),
            false if brought_by.is_empty() => "is missing; no contract brings one".to_owned(),
            false => format!("is missing; brought by {}", brought_by.join(", ")),
        };
        print(&format!("  {entity} {key} {state}"))?;
    }
    Ok(())
}
