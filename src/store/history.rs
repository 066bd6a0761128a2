//! Reading stored events again, in the order of their positions.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Error, Unit};
use crate::batch::{Batch, Message};
use crate::decode::decode_stored;

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
        let stored: Vec<Stored> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(after)
            .bind(up_to)
            .bind(types)
            .bind(except)
            .bind(limit)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("read stored events", error))?;
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
