//! Dead letters as operators see them.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, QueryBuilder};

use super::{Connection, Error, Unit};
use crate::event::Rejection;

/// A dead letter without its bytes.
#[derive(Debug, Clone, FromRow)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// The subject it was published on.
    pub subject: String,
    /// Why it is dead.
    pub reason: String,
    /// JSON pointer to the field at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Messages of the stream with this content; 0 for one that only a replay met.
    pub count: i64,
    /// Sequence of the first of them.
    pub first_seq: Option<i64>,
    /// Sequence of the last of them.
    pub last_seq: Option<i64>,
    /// When the first was met.
    pub first_seen: DateTime<Utc>,
    /// When the last was met.
    pub last_seen: DateTime<Utc>,
    /// The event's id, where it could be read.
    pub event_id: Option<uuid::Uuid>,
    /// The event's type, where it could be read.
    pub event_type: Option<String>,
    /// Times it was redriven in vain.
    pub attempts: i32,
    /// `redriven`, `discarded`, or nothing while it is open.
    pub resolution: Option<String>,
}

/// The raw message of a dead letter.
#[derive(Debug, Clone, FromRow)]
pub struct Raw {
    /// The bytes as they came.
    pub payload: Vec<u8>,
    /// Its headers, a JSON object.
    pub headers: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These numbers; empty: any.
    pub ids: Vec<i64>,
    /// With this reason.
    pub reason: Option<String>,
    /// Of this event type.
    pub event_type: Option<String>,
    /// Those that are resolved too.
    pub resolved_too: bool,
}

const COLUMNS: &str = "id, subject, reason, field, message, count, first_seq, last_seq, first_seen, last_seen, \
                       event_id, event_type, attempts, resolution";

impl Connection {
    /// The selected dead letters, oldest first, from a number on.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dead_letters(&mut self, selection: &Selection, after: i64, limit: i64) -> Result<Vec<Letter>, Error> {
        // A letter that counts nothing stands beside the one that does: the same message, met again.
        let mut query =
            QueryBuilder::new(format!("select {COLUMNS} from dead_letters where (count > 0 or is_replayed) and id > "));
        query.push_bind(after);
        if !selection.resolved_too {
            query.push(" and resolution is null");
        }
        if !selection.ids.is_empty() {
            query.push(" and id = any(").push_bind(selection.ids.clone()).push(")");
        }
        if let Some(reason) = &selection.reason {
            query.push(" and reason = ").push_bind(reason.clone());
        }
        if let Some(event_type) = &selection.event_type {
            query.push(" and event_type = ").push_bind(event_type.clone());
        }
        query.push(" order by id limit ").push_bind(limit);
        query.build_query_as().fetch_all(self.pg()).await.map_err(|error| Error::classify("read dead letters", error))
    }

    /// The bytes and headers of one.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dead_letter_raw(&mut self, id: i64) -> Result<Option<Raw>, Error> {
        sqlx::query_as("select payload, headers::text from dead_letters where id = $1")
            .bind(id)
            .fetch_optional(self.pg())
            .await
            .map_err(|error| Error::classify("read a dead letter", error))
    }

    /// Gives up open dead letters; they stay in the books and in the table. Returns how many.
    ///
    /// # Errors
    /// As the database says.
    pub async fn discard(&mut self, ids: &[i64]) -> Result<u64, Error> {
        sqlx::query(
            "update dead_letters set resolution = 'discarded', resolved_at = now()
             where id = any($1) and resolution is null",
        )
        .bind(ids)
        .execute(self.pg())
        .await
        .map(|done| done.rows_affected())
        .map_err(|error| Error::classify("discard dead letters", error))
    }

    /// Notes that a dead letter was redriven in vain.
    pub(crate) async fn failed_again(&mut self, id: i64, rejection: &Rejection) -> Result<(), Error> {
        sqlx::query(
            "update dead_letters set attempts = attempts + 1, reason = $2, field = $3, message = $4 where id = $1",
        )
        .bind(id)
        .bind(rejection.reason.code())
        .bind(&rejection.field)
        .bind(&rejection.message)
        .execute(self.pg())
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("note a failed attempt", error))
    }
}

impl Unit<'_> {
    /// Locks an open dead letter; gives its count, or nothing when somebody else resolved it.
    pub(crate) async fn lock_dead_letter(&mut self, id: i64) -> Result<Option<i64>, Error> {
        sqlx::query_scalar("select count from dead_letters where id = $1 and resolution is null for update")
            .bind(id)
            .fetch_optional(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("lock a dead letter", error))
    }

    /// Closes a dead letter whose event was taken.
    pub(crate) async fn redriven(&mut self, id: i64) -> Result<(), Error> {
        sqlx::query("update dead_letters set resolution = 'redriven', resolved_at = now() where id = $1")
            .bind(id)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("close a dead letter", error))
    }
}
