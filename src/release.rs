//! Releasing waiting events once what they refer to exists.
//!
//! A pass asks which events wait for nothing any more, and projects them as the pipeline does. Because it looks
//! at what is committed, and not at what some batch thought, it also finds a child and a parent that committed at
//! the same moment in two workers.

use bytes::Bytes;
use chrono::Utc;
use uuid::Uuid;

use crate::batch::{Batch, Ledger, Message, Telling};
use crate::decode::decode_stored;
use crate::event::{Outcome, Reason, Rejection, Route};
use crate::pipeline::project_all;
use crate::store::waiting::Waiting;
use crate::store::{Connection, Error, TRANSACTION_SECONDS_MAX, within};

/// Most events released in one transaction.
const RELEASE_EVENTS_MAX: i64 = 1000;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Released {
    /// Events that looked as if they waited for nothing any more; another process may have been at them.
    pub found: u64,
    /// Events that were projected.
    pub applied: u64,
    /// Events that turned out to be refused by the database or, after a change, by their contract.
    pub dead_letters: u64,
    /// Of these, events that this run had received.
    pub dead_letters_of_run: u64,
}

impl std::ops::AddAssign for Released {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.applied += other.applied;
        self.dead_letters += other.dead_letters;
        self.dead_letters_of_run += other.dead_letters_of_run;
    }
}

/// Releases some of what can be released; nothing when there is nothing to release.
///
/// # Errors
/// As the database says; what was released before is committed.
pub async fn release(connection: &mut Connection, run_id: Uuid) -> Result<Released, Error> {
    let searching = connection.releasable(RELEASE_EVENTS_MAX);
    let releasable = within(TRANSACTION_SECONDS_MAX, "looking for waiting events to release", searching).await?;
    let found = releasable.len() as u64;
    let mut released = Released { found, ..Released::default() };
    // What a replay brought is not told, also when it is released by somebody else: a transaction is one or the other.
    for telling in [Telling::Told, Telling::Silent] {
        let is_meant =
            |(position, is_told): &(i64, bool)| (*is_told == (telling == Telling::Told)).then_some(*position);
        let positions: Vec<i64> = releasable.iter().filter_map(is_meant).collect();
        released += release_or_bisect(connection, run_id, telling, positions).await?;
    }
    Ok(released)
}

/// As the pipeline does with a batch: content that the database refuses is found by halves.
async fn release_or_bisect(
    connection: &mut Connection,
    run_id: Uuid,
    telling: Telling,
    positions: Vec<i64>,
) -> Result<Released, Error> {
    let mut total = Released::default();
    let mut todo = vec![(positions, None)];
    while let Some((mut positions, refusal)) = todo.pop() {
        if positions.is_empty() {
            continue;
        }
        let releasing = Box::pin(release_some(connection, (run_id, telling), &positions, refusal.as_deref()));
        match within(TRANSACTION_SECONDS_MAX, "releasing waiting events", releasing).await {
            Ok(released) => total += released,
            Err(Error::Content { sqlstate, message }) => {
                connection.rollback().await?;
                if positions.len() > 1 {
                    let back = positions.split_off(positions.len() / 2);
                    todo.extend([(back, None), (positions, None)]);
                } else if refusal.is_none() {
                    todo.push((positions, Some(format!("SQLSTATE {sqlstate}: {message}"))));
                } else {
                    return Err(Error::Content { sqlstate, message });
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

async fn release_some(
    connection: &mut Connection,
    (run_id, telling): (Uuid, Telling),
    positions: &[i64],
    refusal: Option<&str>,
) -> Result<Released, Error> {
    let mut unit = connection.begin().await?.telling(telling);
    let waiting = unit.take_up(positions).await?;
    let mut batch = Batch { messages: waiting.iter().map(|event| message(&unit.domain, event)).collect() };
    if let Some(refusal) = refusal {
        batch = batch.rejected(Reason::Database, refusal);
    }
    let mut ledger = Ledger::open(&batch);
    project_all(&mut unit, &batch, &mut ledger, Utc::now).await?;
    let is_dead = |index: &usize| ledger.outcomes[*index] == Outcome::DeadLetter;
    let dead_of_run = (0..waiting.len()).filter(is_dead).filter(|index| waiting[*index].run_id == run_id).count();
    let released = Released {
        found: 0,
        dead_letters_of_run: dead_of_run as u64,
        applied: ledger.count(Outcome::Applied) as u64,
        dead_letters: ledger.count(Outcome::DeadLetter) as u64,
    };
    unit.settle(&batch, &ledger, &waiting).await?;
    unit.bury(&batch, &ledger).await?;
    let dead: Vec<i64> = waiting.iter().filter_map(|event| event.stream_sequence).collect();
    unit.count_dead_letters(&batch, &ledger, &dead).await?;
    // The books are about the stream: of what a replay brought from elsewhere they know nothing.
    let booked = |outcome: Outcome| {
        let of_stream = |index: &usize| waiting[*index].stream_sequence.is_some() && ledger.outcomes[*index] == outcome;
        i64::try_from((0..waiting.len()).filter(of_stream).count()).unwrap_or(i64::MAX)
    };
    let (applied, dead) = (booked(Outcome::Applied), booked(Outcome::DeadLetter));
    if applied + dead > 0 {
        let changes = [(Outcome::Applied, applied), (Outcome::DeadLetter, dead), (Outcome::Waiting, -applied - dead)];
        unit.rebook(&changes).await?;
    }
    unit.commit().await?;
    crate::metrics::counted_by_domain(&ledger);
    Ok(released)
}

/// A stored event as a message again. It had a contract when it was stored; if it fits none any more, it is dead.
fn message(domain: &crate::domain::Domain, event: &Waiting) -> Message {
    let payload = Bytes::copy_from_slice(event.payload.as_bytes());
    let content = decode_stored(domain, &event.event_type, &event.payload).and_then(|read| match read.route {
        Route::Contract(_) => Ok(read),
        Route::Unrouted | Route::Own => Err(Rejection {
            event_id: Some(read.id),
            event_type: Some(read.event_type),
            ..Rejection::new(Reason::Contract, None, "the contract that it was stored with is gone")
        }),
    });
    Message {
        subject: event.event_type.clone(),
        payload,
        headers: None,
        sequence: event.stream_sequence.and_then(|sequence| u64::try_from(sequence).ok()),
        published_at: event.received_at,
        content,
    }
}
