//! The relay: it publishes what the outbox holds, and marks it after the stream's acknowledgement.
//!
//! Interrupted between publishing and marking, it publishes again under the same `Nats-Msg-Id`, which the stream knows
//! within its duplicate window. Beyond the window our own consumer tells: an event that arrived has come back, or is
//! still to be handled, so such an event is published again only when everything in the stream has been handled.

use std::time::Duration;

use crate::source::Source;
use crate::store::outbox::Unpublished;
use crate::store::{Connection, Error};

/// Most events published at a time.
const EVENTS_MAX: i64 = 500;

/// Why nothing could be relayed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Postgres.
    #[error(transparent)]
    Store(#[from] Error),
    /// JetStream.
    #[error(transparent)]
    Source(#[from] crate::source::Error),
}

/// Publishes some of what the outbox holds; returns how many events it is done with. `None`: another process is
/// the one that publishes.
///
/// # Errors
/// What was published before is marked as soon as it is tried again.
pub async fn relay(
    connection: &mut Connection,
    source: &Source,
    window: Duration,
) -> Result<Option<usize>, RelayError> {
    if !connection.may_publish().await? {
        return Ok(None);
    }
    // Half the window, so that what is published again surely arrives within it.
    let events = connection.unpublished(EVENTS_MAX, window / 2).await?;
    let may_be_under_way = events.iter().any(|event| event.is_stale && !event.has_come_back);
    let is_drained = may_be_under_way && source.is_drained().await?;
    let (arrived, rest): (Vec<&Unpublished>, Vec<&Unpublished>) = events.iter().partition(|event| event.has_come_back);
    let due: Vec<&Unpublished> = rest.into_iter().filter(|event| !event.is_stale || is_drained).collect();
    let mut done: Vec<i64> = arrived.iter().map(|event| event.position).collect();
    let mut answers = Vec::with_capacity(due.len());
    for event in due {
        answers.push((event.position, source.publish(event.event_id, &event.subject, &event.payload).await?));
    }
    let mut failure = None;
    for (position, answer) in answers {
        match answer.arrived().await {
            Ok(()) => done.push(position),
            Err(error) => failure = Some(error),
        }
    }
    if !done.is_empty() {
        connection.published(&done).await?;
    }
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(Some(done.len())),
    }
}
