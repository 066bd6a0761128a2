//! Dead letters on their way through the pipeline once more: locked, and closed or kept with what is wrong now.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::bury::clean;
use super::{Connection, Error, Unit};
use crate::event::Rejection;

/// A dead letter as the message that it was.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Letter {
    /// Its number.
    pub(crate) id: i64,
    /// The subject it was published on.
    pub(crate) subject: String,
    /// The bytes as they came.
    pub(crate) payload: Vec<u8>,
    /// Its headers, a JSON object.
    pub(crate) headers: Option<String>,
    /// Why it was dead so far.
    pub(crate) reason: String,
    /// Its type as far as it could be read, else its subject.
    pub(crate) event_type: String,
    /// Sequence of the first message with this content.
    pub(crate) first_seq: Option<i64>,
    /// When the first was met.
    pub(crate) first_seen: DateTime<Utc>,
}

impl Connection {
    /// These dead letters with their bytes, which never change, in the order of the stream; not those that were erased.
    pub(crate) async fn letters(&mut self, ids: &[i64]) -> Result<Vec<Letter>, Error> {
        let mut letters: Vec<Letter> = sqlx::query_as(
            "select id, subject, payload, headers::text as headers, reason,
                 coalesce(event_type, subject) as event_type, first_seq, first_seen
             from dead_letters where id = any($1) order by coalesce(first_seq, 0), id",
        )
        .bind(ids)
        .fetch_all(self.pg())
        .await
        .map_err(|error| Error::classify("read dead letters", error))?;
        let erased = self.decrypt_letters(letters.iter_mut().map(|letter| &mut letter.payload).collect()).await?;
        let mut index = 0..;
        letters.retain(|_| index.next().is_none_or(|index| !erased.contains(&index)));
        Ok(letters)
    }

    /// Those of the dead letters that no message of the stream counts for: only a replay met them.
    pub(crate) async fn unheard(&mut self, ids: &[i64]) -> Result<HashSet<i64>, Error> {
        let found: Vec<i64> = sqlx::query_scalar("select id from dead_letters where id = any($1) and count = 0")
            .bind(ids)
            .fetch_all(self.pg())
            .await
            .map_err(|error| Error::classify("look which dead letters a replay met", error))?;
        Ok(found.into_iter().collect())
    }
}

impl Unit<'_> {
    /// Locks those that are open, in the order in which batches lock them; gives how many messages each counts.
    pub(crate) async fn lock_dead_letters(&mut self, ids: &[i64]) -> Result<HashMap<i64, i64>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select id, count from dead_letters where id = any($1) and resolution is null and (count > 0 or is_replayed)
             order by fingerprint for update",
        )
        .bind(ids)
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("lock dead letters", error))?;
        Ok(rows.into_iter().collect())
    }

    /// Closes dead letters whose events were taken, and writes down of the others what is wrong now.
    pub(crate) async fn settle_dead_letters(&mut self, tried: &[(i64, Option<&Rejection>)]) -> Result<(), Error> {
        let rejections = || tried.iter().map(|(_, rejection)| *rejection);
        sqlx::query(
            "update dead_letters as letter
             set attempts = letter.attempts + (tried.reason is not null)::int,
                 reason = coalesce(tried.reason, letter.reason), message = coalesce(tried.message, letter.message),
                 field = case when tried.reason is null then letter.field else tried.field end,
                 resolution = case when tried.reason is null then 'redriven' end,
                 resolved_at = case when tried.reason is null then now() end
             from unnest($1::int8[], $2::text[], $3::text[], $4::text[]) as tried (id, reason, field, message)
             where letter.id = tried.id",
        )
        .bind(tried.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(rejections().map(|rejection| rejection.map(|one| one.reason.code())).collect::<Vec<_>>())
        .bind(rejections().map(|rejection| rejection.and_then(|one| one.field.clone())).collect::<Vec<_>>())
        .bind(rejections().map(|rejection| rejection.map(|one| clean(&one.message))).collect::<Vec<_>>())
        .execute(&mut *self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("settle redriven dead letters", error))
    }
}
