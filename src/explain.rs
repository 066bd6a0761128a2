//! An event's life: what became of it, where it went and what it moved, as far as it is written down.
//!
//! Nothing is kept for this alone but two small tables: the duplicates of an event, and what it waited for.

use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::analytics::RAW;
use crate::event::{Outcome, Route};
use crate::journey::moved::Moved;
use crate::sink::Sink;
use crate::store::dead_letters::Letter;
use crate::store::life::{Claim, Repeat, SealedRange, Sent, Stored, Wait};
use crate::store::traces::Traces;
use crate::store::{Connection, Error};

/// Dead letters listed.
const LETTERS_MAX: i64 = 20;

/// What is known of an event. What is empty or absent did not happen, or is said in `notes`.
#[derive(Debug, Clone, Serialize)]
pub struct Life {
    /// The event.
    pub event_id: Uuid,
    /// `applied`, `waiting`, `unrouted`, `own`, `dead_letter`; `claimed` where only a claim is left, `archived` where its
    /// month was dropped.
    pub verdict: &'static str,
    /// The event in the event store.
    pub stored: Option<Stored>,
    /// Claims on its id.
    pub claims: Vec<Claim>,
    /// Messages that brought it once more.
    pub duplicate_count: i64,
    /// The first of them.
    pub duplicates: Vec<Repeat>,
    /// Dead letters with its id.
    pub dead_letters: Vec<Value>,
    /// What it waited and waits for.
    pub waits: Vec<Wait>,
    /// What its projection writes, and its rows.
    pub traces: Traces,
    /// Whom it speaks of, with the facts and rules that it moved.
    pub people: Vec<Moved>,
    /// The event in our own outbox, for one of our own.
    pub outgoing: Option<Sent>,
    /// Events of our own about these people that were written in the transaction that projected it.
    pub outbox: Vec<Sent>,
    /// The range in which it goes to ClickHouse.
    pub range: Option<SealedRange>,
    /// Whether ClickHouse has it; absent when it was not asked.
    pub in_clickhouse: Option<bool>,
    /// What is not known, and why.
    pub notes: Vec<String>,
}

/// The verdict on an event of a month that was dropped.
const ARCHIVED: &str = "archived";

/// Gathers what is known; nothing when the event was never seen. ClickHouse is asked where there is one.
///
/// # Errors
/// When Postgres cannot be asked.
pub async fn explain(connection: &mut Connection, sink: Option<&Sink>, event_id: Uuid) -> Result<Option<Life>, Error> {
    let stored = connection.stored_event(event_id).await?;
    let claims = connection.claims(event_id).await?;
    let letters = connection.dead_letters_of(event_id, LETTERS_MAX).await?;
    let outgoing = connection.outgoing(event_id).await?;
    let verdict = match (&stored, &outgoing) {
        (None, None) if letters.iter().any(|letter| letter.resolution.is_none()) => Outcome::DeadLetter.label(),
        (None, _) if connection.is_remembered(event_id).await? => ARCHIVED,
        (None, None) if !letters.is_empty() => Outcome::DeadLetter.label(),
        (None, None) if claims.is_empty() => return Ok(None),
        (None, None) => "claimed",
        _ => Outcome::Own.label(),
    };
    let (duplicate_count, duplicates) = connection.duplicates(event_id).await?;
    let mut life = Life {
        event_id,
        verdict,
        stored: None,
        claims,
        duplicate_count,
        duplicates,
        dead_letters: letters.iter().map(dead_letter).collect(),
        waits: connection.waits_of(event_id).await?,
        traces: Traces::default(),
        people: Vec::new(),
        outgoing,
        outbox: Vec::new(),
        range: None,
        in_clickhouse: None,
        notes: Vec::new(),
    };
    match stored {
        Some(stored) => follow(connection, sink, &mut life, stored).await?,
        None if verdict == ARCHIVED => {
            life.notes.push("its month was archived and dropped: `event_archives` names the files".into());
        }
        None if verdict == "claimed" => {
            life.notes.push("the event is not in the store any more: only the claim on its id is left".into());
        }
        None if verdict == Outcome::Own.label() => {
            life.notes.push("it has not come back through the stream yet".into());
        }
        None => {}
    }
    Ok(Some(life))
}

fn dead_letter(letter: &Letter) -> Value {
    json!({"id": letter.id, "reason": letter.reason, "field": letter.field, "message": letter.message,
           "count": letter.count, "first_seq": letter.first_seq, "last_seq": letter.last_seq,
           "first_seen": letter.first_seen, "attempts": letter.attempts, "resolution": letter.resolution})
}

/// From the store on: verdict, rows, people, and the way into ClickHouse.
async fn follow(
    connection: &mut Connection,
    sink: Option<&Sink>,
    life: &mut Life,
    stored: Stored,
) -> Result<(), Error> {
    let domain = connection.domain();
    let read = stored.read(&domain);
    let waits = life.waits.iter().any(|wait| wait.released_at.is_none());
    let verdict = match (&read, stored.projected_at) {
        (_, Some(_)) => Outcome::Applied,
        (_, None) if waits => Outcome::Waiting,
        (Ok(event), None) if event.route == Route::Own => Outcome::Own,
        (_, None) => Outcome::Unrouted,
    };
    life.verdict = verdict.label();
    if stored.stream_sequence.is_none() {
        life.notes.push("it did not come from the stream: there is no sequence".into());
    }
    match &read {
        Ok(event) if verdict == Outcome::Applied => {
            if let Route::Contract(contract) = event.route {
                life.traces = connection.traces(event, contract).await?;
                life.people = connection.moved(event, Utc::now().timestamp_micros()).await?;
            }
        }
        Ok(event) if verdict == Outcome::Unrouted && matches!(event.route, Route::Contract(_)) => {
            life.notes.push("its type has had no contract when it came, and has one now".into());
        }
        Ok(_) => {}
        Err(rejection) => {
            let code = rejection.reason.code();
            life.notes.push(format!(
                "it does not fit its contract any more ({code}: {}): rows, facts and rules are not known",
                rejection.message
            ));
        }
    }
    if let Some(at) = stored.projected_at {
        let people: Vec<Uuid> = life.people.iter().map(|moved| moved.user_id).collect();
        life.outbox = connection.sent(&people, at).await?;
    }
    life.range = connection.range_of(stored.position).await?;
    if let Some(sink) = sink {
        match sink.content(RAW, &domain.layout, stored.position, stored.position).await {
            Ok(content) => life.in_clickhouse = Some(content.events > 0),
            Err(error) => life.notes.push(format!("ClickHouse could not be asked: {error}")),
        }
    }
    life.stored = Some(stored);
    Ok(())
}
