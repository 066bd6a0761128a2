//! What the tables of the engine know of one event. Every look-up goes by a key.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Connection, Error, Unit};
use crate::batch::{Batch, Message};
use crate::decode::decode_stored;
use crate::event::{Event, Rejection};
use crate::journey::fold::Word;
use crate::journey::interval::Micros;
use crate::journey::moved::{Moved, moved};

/// Messages and rows listed of one kind.
const LISTED_MAX: i64 = 50;

/// An event as the event store has it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Stored {
    /// Its place in the total order.
    pub position: i64,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version of its contract.
    pub version: String,
    /// The person whom it names itself.
    pub user_id: Option<String>,
    /// For tracing.
    pub correlation_id: Option<Uuid>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// When the stream took the message that brought it.
    pub published_at: DateTime<Utc>,
    /// Sequence of that message.
    pub stream_sequence: Option<i64>,
    /// When the transaction that stored it began.
    pub stored_at: DateTime<Utc>,
    /// When the transaction that projected it began.
    pub projected_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    payload: String,
}

/// A claim on its id.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Claim {
    /// Who claimed it.
    pub consumer_id: String,
    /// When.
    pub processed_at: DateTime<Utc>,
    /// False while only a dead letter has the id.
    pub success: bool,
    /// Why it was not taken.
    pub error_message: Option<String>,
}

/// A message whose event had been taken before.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Repeat {
    /// Its sequence in the stream.
    pub sequence: i64,
    /// When the stream took it.
    pub published_at: DateTime<Utc>,
}

/// Something that the event waited for, or waits for.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Wait {
    /// The entity of `stream.toml`.
    pub entity: String,
    /// The key of the row.
    pub key: Uuid,
    /// Since when.
    pub waiting_since: DateTime<Utc>,
    /// Until when; nothing while it waits.
    pub released_at: Option<DateTime<Utc>>,
}

/// An event of our own.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Sent {
    /// Its id.
    pub event_id: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    pub subject: String,
    /// Whom it is about.
    pub user_id: Uuid,
    /// When the transaction that wrote it began.
    pub created_at: DateTime<Utc>,
    /// When the stream had it; nothing while it is to be published.
    pub published_at: Option<DateTime<Utc>>,
}

/// The sealed range of positions that the event is in.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct SealedRange {
    /// The generation of the tables in ClickHouse.
    pub generation: i32,
    /// First position.
    pub first_position: i64,
    /// Last position.
    pub last_position: i64,
    /// Events in it.
    pub events: i64,
    /// When it was found to be in ClickHouse.
    pub fed_at: Option<DateTime<Utc>>,
}

impl Stored {
    /// The event, read with today's contract.
    ///
    /// # Errors
    /// When it fits that no more.
    pub fn read(&self, domain: &crate::domain::Domain) -> Result<Event, Rejection> {
        decode_stored(domain, &self.event_type, &self.payload)
    }
}

impl Connection {
    /// The event in the event store.
    pub(crate) async fn stored_event(&mut self, event: Uuid) -> Result<Option<Stored>, Error> {
        let sql = format!(
            "select position, event_type, version, user_id, correlation_id, causation_id, \"timestamp\", received_at as published_at,
                 stream_sequence, created_at as stored_at, processed_at as projected_at, payload::text as payload
             from {} where event_id = $1 order by position limit 1",
            self.domain.event_log
        );
        let found = sqlx::query_as(AssertSqlSafe(sql)).bind(event).fetch_optional(&mut self.pg).await;
        let mut found: Option<Stored> =
            found.map_err(|error| Error::classify("look for the event in the store", error))?;
        self.decrypt(found.iter_mut().map(|event| &mut event.payload).collect()).await?;
        Ok(found)
    }

    /// Whether an event of this id was taken whose claim was pruned, or whose month was dropped.
    pub(crate) async fn is_remembered(&mut self, event: Uuid) -> Result<bool, Error> {
        let sql = "select exists (select from event_ids where event_id = $1)";
        let found = sqlx::query_scalar(sql).bind(event).fetch_one(&mut self.pg).await;
        found.map_err(|error| Error::classify("look for the id among those that were taken", error))
    }

    /// The claims on its id.
    pub(crate) async fn claims(&mut self, event: Uuid) -> Result<Vec<Claim>, Error> {
        let sql = "select consumer_id, processed_at, success, error_message from event_deduplication
                   where event_id = $1 order by consumer_id limit $2";
        let found = sqlx::query_as(sql).bind(event.to_string()).bind(LISTED_MAX).fetch_all(&mut self.pg).await;
        found.map_err(|error| Error::classify("look for the claims on the event", error))
    }

    /// How many messages were duplicates of it, and the first of them.
    pub(crate) async fn duplicates(&mut self, event: Uuid) -> Result<(i64, Vec<Repeat>), Error> {
        let looking = async {
            let count = sqlx::query_scalar("select count(*) from duplicate_messages where event_id = $1")
                .bind(event)
                .fetch_one(&mut self.pg)
                .await?;
            let sql = "select sequence, published_at from duplicate_messages where event_id = $1
                       order by incarnation, sequence limit $2";
            Ok((count, sqlx::query_as(sql).bind(event).bind(LISTED_MAX).fetch_all(&mut self.pg).await?))
        };
        looking.await.map_err(|error| Error::classify("look for the duplicates of the event", error))
    }

    /// What it waits and has waited for.
    pub(crate) async fn waits_of(&mut self, event: Uuid) -> Result<Vec<Wait>, Error> {
        let sql = "select entity, key, waiting_since, null::timestamptz as released_at from waiting_events
                   where event_id = $1
                   union all select entity, key, waiting_since, released_at from released_waits where event_id = $1
                   order by waiting_since, entity, key limit $2";
        let found = sqlx::query_as(sql).bind(event).bind(LISTED_MAX).fetch_all(&mut self.pg).await;
        found.map_err(|error| Error::classify("look for what the event waited for", error))
    }

    /// What was written to the outbox about these people by the transaction that began at that moment.
    pub(crate) async fn sent(&mut self, people: &[Uuid], at: DateTime<Utc>) -> Result<Vec<Sent>, Error> {
        let sql = "select event_id, subject, user_id, created_at, published_at from outbox
                   where created_at = $1 and user_id = any($2) order by position limit $3";
        let found = sqlx::query_as(sql).bind(at).bind(people).bind(LISTED_MAX).fetch_all(&mut self.pg).await;
        found.map_err(|error| Error::classify("look for events of our own", error))
    }

    /// The event in our own outbox.
    pub(crate) async fn outgoing(&mut self, event: Uuid) -> Result<Option<Sent>, Error> {
        let sql = "select event_id, subject, user_id, created_at, published_at from outbox where event_id = $1";
        let found = sqlx::query_as(sql).bind(event).fetch_optional(&mut self.pg).await;
        found.map_err(|error| Error::classify("look for the event in the outbox", error))
    }

    /// The range that a position is in, of the tables in ClickHouse that are read.
    pub(crate) async fn range_of(&mut self, position: i64) -> Result<Option<SealedRange>, Error> {
        let generation = self.current_generation().await?;
        let sql = "select generation, first_position, last_position, events, fed_at from feed_ranges
                   where generation = $2 and last_position >= $1 order by last_position limit 1";
        let found: Option<SealedRange> = sqlx::query_as(sql)
            .bind(position)
            .bind(generation)
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for the range of the event", error))?;
        Ok(found.filter(|range| range.first_position <= position))
    }

    /// What a projected event means for people, by the rules in force and the facts of now.
    pub(crate) async fn moved(&mut self, event: &Event, now: Micros) -> Result<Vec<Moved>, Error> {
        let mut unit = self.begin_snapshot().await?;
        let moved = unit.moved(event, now).await?;
        unit.commit().await?;
        Ok(moved)
    }
}

impl Unit<'_> {
    async fn moved(&mut self, event: &Event, now: Micros) -> Result<Vec<Moved>, Error> {
        let message = Message {
            subject: event.event_type.clone(),
            payload: bytes::Bytes::new(),
            headers: None,
            sequence: None,
            published_at: event.timestamp,
            content: Ok(event.clone()),
        };
        let batch = Batch { messages: vec![message] };
        let rules = std::sync::Arc::clone(&self.rules);
        let journey = &rules.applied.journey;
        let renamed = self.renamed(&batch, &[0]).await?;
        let mut words: Vec<Word> = Vec::new();
        for (index, signal) in journey.signals.iter().enumerate() {
            if event.route == crate::event::Route::Contract(signal.contract) {
                words.extend(self.words_of(journey, index, &batch, &[0], &renamed).await?);
            }
        }
        // An event may say again what another one had told: that is the other one's.
        words.retain(|word| word.event == event.id);
        let people = words.iter().map(|word| word.person).collect();
        let standings = self.load(&people).await?;
        let one = |person: &Uuid| {
            let of: Vec<&Word> = words.iter().filter(|word| word.person == *person).collect();
            let facts = standings.get(person).map(|standing| standing.facts.clone()).unwrap_or_default();
            moved(journey, *person, &of, &facts, event.id, now)
        };
        Ok(people.iter().map(one).collect())
    }
}
