//! Reading stored events again, in the order of their positions.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Connection, Error, TRANSACTION_SECONDS_MAX, Unit, within};
use crate::batch::{Batch, Ledger, Message};
use crate::decode::decode_stored;
use crate::event::Outcome;

/// Events of the store as a batch again.
#[derive(Debug)]
pub(crate) struct Chapter {
    /// Those that still fit their contract.
    pub(crate) batch: Batch,
    /// Events that fit it no more.
    pub(crate) unreadable: usize,
    /// The position of the last one; `None` when there are no more.
    pub(crate) last: Option<i64>,
}

/// A line of the event store.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Line {
    /// Its place.
    pub(crate) position: i64,
    /// Its type.
    pub(crate) event_type: String,
    /// When it happened.
    pub(crate) timestamp: DateTime<Utc>,
    /// It has had no effect and waits for nothing.
    pub(crate) is_open: bool,
    /// Its document, where it was asked for or the event is open.
    pub(crate) payload: Option<String>,
}

impl Connection {
    /// The last position that was given out.
    pub(crate) async fn last_position(&mut self) -> Result<i64, Error> {
        let asking = async {
            let sql = format!("select coalesce(max(position), 0) from {}", self.domain.event_log);
            let last = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.pg).await;
            last.map_err(|error| Error::classify("look for the end of the event store", error))
        };
        within(TRANSACTION_SECONDS_MAX, "looking for the end of the event store", asking).await
    }

    /// The next lines with a position after one and up to another.
    pub(crate) async fn lines(
        &mut self,
        (after, up_to): (i64, i64),
        limit: i64,
        with_payload: bool,
    ) -> Result<Vec<Line>, Error> {
        let sql = format!(
            "select position, event_type, \"timestamp\", is_open, case when is_open or $4 then payload::text end as payload
             from (select log.*, processed_at is null and not exists (
                       select from waiting_events as waiting where waiting.position = log.position) as is_open
                   from {} as log where position > $1 and position <= $2 order by position limit $3) as lines
             order by position",
            self.domain.event_log
        );
        let reading = async {
            let lines = sqlx::query_as(AssertSqlSafe(sql))
                .bind(after)
                .bind(up_to)
                .bind(limit)
                .bind(with_payload)
                .fetch_all(&mut self.pg)
                .await;
            let mut lines: Vec<Line> = lines.map_err(|error| Error::classify("read the event store", error))?;
            self.decrypt(lines.iter_mut().filter_map(|line| line.payload.as_mut()).collect()).await?;
            Ok(lines)
        };
        within(TRANSACTION_SECONDS_MAX, "reading the event store", reading).await
    }
}

/// An event that was stored without effect.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Open {
    event_id: uuid::Uuid,
    #[sqlx(rename = "timestamp")]
    at: DateTime<Utc>,
    event_type: String,
    payload: String,
    received_at: DateTime<Utc>,
    stream_sequence: Option<i64>,
}

impl Unit<'_> {
    /// Takes up stored events that have had no effect and wait for nothing, in the order of the store; whoever else
    /// takes them up waits, and then finds them done.
    pub(crate) async fn take_up_open(&mut self, positions: &[i64]) -> Result<(Batch, Vec<Open>), Error> {
        let sql = format!(
            "select event_id, \"timestamp\", event_type, payload::text as payload, received_at, stream_sequence
             from {} as log
             where position = any($1) and processed_at is null
               and not exists (select from waiting_events as waiting where waiting.position = log.position)
             order by position for update of log",
            self.domain.event_log
        );
        let mut open: Vec<Open> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(positions)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("take up stored events", error))?;
        self.decrypt(open.iter_mut().map(|event| &mut event.payload).collect()).await?;
        let message = |event: &Open| Message {
            subject: event.event_type.clone(),
            payload: Bytes::copy_from_slice(event.payload.as_bytes()),
            headers: None,
            sequence: event.stream_sequence.and_then(|sequence| u64::try_from(sequence).ok()),
            published_at: event.received_at,
            content: decode_stored(&self.domain, &event.event_type, &event.payload),
        };
        Ok((Batch { messages: open.iter().map(message).collect() }, open))
    }

    /// Writes down which of them have had their effect now, also in the books: they were stored without a contract.
    pub(crate) async fn settle_open(&mut self, batch: &Batch, ledger: &Ledger, open: &[Open]) -> Result<(), Error> {
        let applied = || open.iter().zip(&ledger.outcomes).filter(|(_, outcome)| **outcome == Outcome::Applied);
        let ended = || batch.messages.iter().zip(&ledger.outcomes).filter(|(_, outcome)| **outcome == Outcome::Applied);
        // Without a contract nobody knew whom it is about.
        let user = |message: &Message| message.content.as_ref().ok().and_then(|event| event.user_id);
        let sql = format!(
            "update {} as log set processed_at = now(), user_id = coalesce(log.user_id, applied.user_id)
             from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as applied (event_id, \"timestamp\", user_id)
             where log.event_id = applied.event_id and log.\"timestamp\" = applied.\"timestamp\"",
            self.domain.event_log
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(applied().map(|(event, _)| event.event_id).collect::<Vec<_>>())
            .bind(applied().map(|(event, _)| event.at).collect::<Vec<_>>())
            .bind(ended().map(|(message, _)| user(message).map(|id| id.to_string())).collect::<Vec<_>>())
            .execute(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("settle stored events", error))?;
        let booked = |wanted: Outcome| {
            let of_stream =
                |(event, outcome): &(&Open, &Outcome)| event.stream_sequence.is_some() && **outcome == wanted;
            i64::try_from(open.iter().zip(&ledger.outcomes).filter(of_stream).count()).unwrap_or(i64::MAX)
        };
        let (applied, waiting) = (booked(Outcome::Applied), booked(Outcome::Waiting));
        match applied + waiting {
            0 => Ok(()),
            all => {
                let to = [(Outcome::Applied, applied), (Outcome::Waiting, waiting), (Outcome::Unrouted, -all)];
                self.rebook(&to).await
            }
        }
    }
}

#[derive(sqlx::FromRow)]
struct Stored {
    position: i64,
    event_type: String,
    payload: String,
    received_at: DateTime<Utc>,
}

impl Unit<'_> {
    /// The next projected events of these types with a position after one and up to another, apart from those that
    /// were held back when the rules of `except` were begun.
    pub(crate) async fn chapter(
        &mut self,
        (after, up_to): (i64, i64),
        types: &[String],
        except: i64,
        limit: i64,
    ) -> Result<Chapter, Error> {
        let sql = format!(
            "select position, event_type, payload::text as payload, received_at from {}
             where position > $1 and position <= $2 and event_type = any($3) and processed_at is not null
               and not exists (select from journey_rules where epoch = $4 and held_back @> position)
             order by position limit $5",
            self.domain.event_log
        );
        let mut stored: Vec<Stored> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(after)
            .bind(up_to)
            .bind(types)
            .bind(except)
            .bind(limit)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("read stored events", error))?;
        self.decrypt(stored.iter_mut().map(|event| &mut event.payload).collect()).await?;
        let last = stored.last().map(|event| event.position);
        let mut batch = Batch::default();
        for event in &stored {
            if let Ok(content) = decode_stored(&self.domain, &event.event_type, &event.payload) {
                batch.messages.push(Message {
                    subject: event.event_type.clone(),
                    payload: Bytes::new(),
                    headers: None,
                    sequence: None,
                    published_at: event.received_at,
                    content: Ok(content),
                });
            }
        }
        Ok(Chapter { unreadable: stored.len() - batch.messages.len(), batch, last })
    }
}
