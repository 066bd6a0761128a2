//! `milepost explain`: what became of an event, where it went and what it moved.

use std::process::ExitCode;

use serde_json::Value;
use uuid::Uuid;

use super::{Settings, print, verify_version};
use crate::error::Failure;
use crate::explain::{Life, explain};
use crate::journey::moved::Moved;
use crate::store::life::Stored;

/// Arguments of `milepost explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The event's id
    event: Uuid,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let sink = settings.sink.sink()?;
    let mut connection = settings.connection().await?;
    verify_version(&mut connection).await?;
    let Some(life) = Box::pin(explain(&mut connection, sink.as_ref(), args.event)).await? else {
        let hint = "hint: it has not arrived (milepost_lag_messages), or it is a dead letter whose id could not be \
                    read (`milepost dead-letters list`)";
        return Err(anyhow::anyhow!("the event {} was never seen\n  {hint}", args.event).into());
    };
    match args.json {
        true => print(&serde_json::to_string(&life)?)?,
        false => tell(&life)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(life: &Life) -> Result<(), Failure> {
    print(&format!("{}  {}", life.event_id, life.verdict))?;
    if let Some(stored) = &life.stored {
        tell_stored(stored)?;
    }
    for claim in &life.claims {
        let state = if claim.success { "claimed" } else { "not taken" };
        let fault = claim.error_message.as_deref().map(|fault| format!(": {fault}")).unwrap_or_default();
        print(&format!("  {state} by {} at {}{fault}", claim.consumer_id, claim.processed_at))?;
    }
    if life.duplicate_count > 0 {
        let listed = life.duplicates.iter().map(|one| format!("{} at {}", one.sequence, one.published_at));
        let more = if life.duplicate_count > life.duplicates.len() as i64 { ", …" } else { "" };
        let listed: Vec<String> = listed.collect();
        print(&format!("  {} duplicates: sequences {}{more}", life.duplicate_count, listed.join(", ")))?;
    }
    for letter in &life.dead_letters {
        let state = letter["resolution"].as_str().unwrap_or("open");
        let (field, message) = (letter["field"].as_str().unwrap_or_default(), text(&letter["message"]));
        let (id, reason, attempts) = (&letter["id"], text(&letter["reason"]), &letter["attempts"]);
        print(&format!(
            "  dead letter {id} ({state}): {reason} {field} {message}; redriven in vain {attempts} times, sequence {}",
            letter["first_seq"]
        ))?;
    }
    for wait in &life.waits {
        let until = wait.released_at.map_or_else(|| "and waits".to_owned(), |until| format!("until {until}"));
        print(&format!("  waited for {} {} from {} {until}", wait.entity, wait.key, wait.waiting_since))?;
    }
    tell_rows(life)?;
    life.people.iter().try_for_each(tell_person)?;
    if let Some(own) = &life.outgoing {
        let state = own.published_at.map_or_else(|| "to be published".to_owned(), |at| format!("published at {at}"));
        print(&format!(
            "  {} about {}, written to the outbox at {}, {state}",
            own.subject, own.user_id, own.created_at
        ))?;
    }
    for sent in &life.outbox {
        let state = sent.published_at.map_or_else(|| "to be published".to_owned(), |at| format!("published at {at}"));
        print(&format!(
            "  sent {} {} about {} ({state}), in the same transaction",
            sent.subject, sent.event_id, sent.user_id
        ))?;
    }
    tell_range(life)?;
    life.notes.iter().try_for_each(|note| print(&format!("  note: {note}")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tell_stored(stored: &Stored) -> Result<(), Failure> {
    print(&format!("  {} {}, happened at {}", stored.event_type, stored.version, stored.timestamp))?;
    let sequence = stored.stream_sequence.map_or_else(|| "no sequence".to_owned(), |one| format!("sequence {one}"));
    print(&format!("  {sequence} of the stream, published at {}", stored.published_at))?;
    print(&format!("  stored at {}, position {}", stored.stored_at, stored.position))?;
    match stored.projected_at {
        Some(at) => print(&format!("  projected at {at}")),
        None => Ok(()),
    }
}

fn tell_rows(life: &Life) -> Result<(), Failure> {
    let traces = &life.traces;
    if traces.tables.is_empty() {
        return Ok(());
    }
    let tables: Vec<&str> = traces.tables.iter().map(String::as_str).collect();
    let derived =
        if traces.derived.is_empty() { String::new() } else { format!("; derived: {}", traces.derived.join(", ")) };
    print(&format!("  its type writes {}{derived}", tables.join(", ")))?;
    for row in &traces.rows {
        let key = row.key.map_or_else(|| "a row".to_owned(), |key| key.to_string());
        let how = if row.names_event { "names the event" } else { "by its key" };
        print(&format!("    {} {key} ({how})", row.table))?;
    }
    Ok(())
}

fn tell_person(moved: &Moved) -> Result<(), Failure> {
    let signals: Vec<&str> = moved.signals.iter().map(String::as_str).collect();
    let facts = moved.facts.iter().map(|fact| match fact.names_event {
        true => format!("{} (names the event)", fact.name),
        false => fact.name.clone(),
    });
    let facts: Vec<String> = facts.collect();
    print(&format!("  says {} of {}: facts {}", signals.join(", "), moved.user_id, facts.join(", ")))?;
    for rule in &moved.rules {
        let answer = if rule.holds { "yes" } else { "no" };
        let since = rule.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
        let named = if rule.names_event { ", and names the event" } else { "" };
        print(&format!("    {} {} says {answer}{since} now{named}", rule.kind, rule.rule))?;
    }
    Ok(())
}

fn tell_range(life: &Life) -> Result<(), Failure> {
    if life.stored.is_none() {
        return Ok(());
    }
    let has_it = match life.in_clickhouse {
        Some(true) => "; ClickHouse has it",
        Some(false) => "; ClickHouse does not have it",
        None => "",
    };
    match &life.range {
        None => print(&format!("  not sealed for ClickHouse yet{has_it}")),
        Some(range) => {
            let fed = range.fed_at.map_or_else(|| "not fed yet".to_owned(), |at| format!("fed at {at}"));
            let (first, last) = (range.first_position, range.last_position);
            print(&format!("  ClickHouse range {first} to {last} of generation {}, {fed}{has_it}", range.generation))
        }
    }
}
