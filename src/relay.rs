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

/// The relay, and what it has to remember from one pass to the next.
#[derive(Debug, Default)]
pub struct Relay {
    /// Stale events that were seen in the outbox, and the stream's last sequence then. Once everything up to it has been
    /// handled, those that have not come back never arrived.
    waited_for: Option<(Vec<i64>, u64)>,
}

impl Relay {
    /// Publishes some of what the outbox holds; returns how many events have arrived. `None`: another process is the
    /// one that publishes.
    ///
    /// # Errors
    /// What was published before is marked as soon as it is tried again.
    pub async fn pass(
        &mut self,
        connection: &mut Connection,
        source: &Source,
        window: Duration,
    ) -> Result<Option<usize>, RelayError> {
        if !connection.may_publish().await? {
            self.waited_for = None;
            return Ok(None);
        }
        // Half the window, so that what is published again surely arrives within it.
        let anew = self.stale(connection, source, window / 2).await?;
        let published_anew = publish(connection, source, &anew).await?;
        let events = connection.unpublished(EVENTS_MAX, window / 2).await?;
        Ok(Some(published_anew + publish(connection, source, &events).await?))
    }

    /// Events that were attempted long ago and surely never arrived.
    async fn stale(
        &mut self,
        connection: &mut Connection,
        source: &Source,
        window: Duration,
    ) -> Result<Vec<Unpublished>, RelayError> {
        let mut stale = connection.stale(EVENTS_MAX, window).await?;
        if stale.is_empty() {
            self.waited_for = None;
            return Ok(stale);
        }
        let last = source.last_sequence().await?;
        // A stream whose end lies before what is waited for is another one.
        let waited_for = self.waited_for.take().filter(|(_, handled)| *handled <= last);
        let Some((positions, handled)) = waited_for else {
            self.waited_for = Some((stale.iter().map(|event| event.position).collect(), last));
            return Ok(Vec::new());
        };
        if source.standing().await?.ack_floor < handled {
            self.waited_for = Some((positions, handled));
            return Ok(Vec::new());
        }
        // Looked at once more, now that all of that has been handled.
        stale = connection.stale(EVENTS_MAX, window).await?;
        stale.retain(|event| positions.contains(&event.position));
        connection.attempted_anew(&stale.iter().map(|event| event.position).collect::<Vec<_>>()).await?;
        Ok(stale)
    }
}

/// Publishes in order, waits for the stream to have all of them, and marks those that it has.
async fn publish(connection: &mut Connection, source: &Source, events: &[Unpublished]) -> Result<usize, RelayError> {
    let mut answers = Vec::with_capacity(events.len());
    for event in events {
        answers
            .push((event.position, source.publish(&event.event_id.to_string(), &event.subject, &event.payload).await?));
    }
    let mut arrived = Vec::with_capacity(answers.len());
    let mut failure = None;
    for (position, answer) in answers {
        match answer.arrived().await {
            Ok(()) => arrived.push(position),
            Err(error) => failure = Some(error),
        }
    }
    if !arrived.is_empty() {
        connection.published(&arrived).await?;
    }
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(arrived.len()),
    }
}
