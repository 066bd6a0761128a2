//! What is held of a person, as the domain's SQL says it, and what is left of them once they are erased.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::keys::subject_of_letter;
use super::{Connection, Error, execute};
use crate::domain::{Privacy, Telling};

/// Dead letters looked at in one go.
const LETTERS_AT_ONCE: i64 = 500;

/// An event of the store that names the person.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Named {
    /// Its id.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// Its document as it is stored.
    pub payload: String,
}

impl Connection {
    /// Everything that tables hold of a person: the table, and the row, redacted.
    ///
    /// # Errors
    /// As the database says.
    pub async fn held_of(&mut self, privacy: &Privacy, person: Uuid) -> Result<Vec<(String, Value)>, Error> {
        sqlx::query_as(AssertSqlSafe(privacy.export.clone()))
            .bind(person)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("export what is held of a person", error))
    }

    /// The stored events that name a person by one of these ids, oldest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn events_of(&mut self, ids: &[String]) -> Result<Vec<Named>, Error> {
        let sql = format!(
            "select event_id, event_type, \"timestamp\", payload::text as payload from {}
             where user_id = any($1) order by \"timestamp\", event_id",
            self.domain.event_log
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(ids)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("export events of a person", error))
    }

    /// Texts by which a person is found where nobody could read what it is.
    ///
    /// # Errors
    /// As the database says.
    pub async fn traces_of(&mut self, privacy: &Privacy, person: Uuid) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(AssertSqlSafe(privacy.traces.clone()))
            .bind(person)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look by what a person is found", error))
    }

    /// The data of an event about a person; `None` when nobody is known by that id.
    ///
    /// # Errors
    /// As the database says.
    pub async fn told_of(
        &mut self,
        telling: &Telling,
        (person, id): (Uuid, Uuid),
        at: DateTime<Utc>,
    ) -> Result<Option<Value>, Error> {
        sqlx::query_scalar(AssertSqlSafe(telling.data.clone()))
            .bind(person)
            .bind(id)
            .bind(at)
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look up a person", error))
    }

    /// The dead letters after a number that have one of these texts in them; the last number looked at, `None` at the end.
    ///
    /// # Errors
    /// As the database says.
    pub async fn letters_with(&mut self, traces: &[String], after: i64) -> Result<Option<(i64, Vec<Uuid>)>, Error> {
        let mut letters: Vec<(i64, Uuid, Vec<u8>)> =
            sqlx::query_as("select id, fingerprint, payload from dead_letters where id > $1 order by id limit $2")
                .bind(after)
                .bind(LETTERS_AT_ONCE)
                .fetch_all(&mut self.pg)
                .await
                .map_err(|error| Error::classify("read dead letters", error))?;
        let Some(last) = letters.last().map(|(id, ..)| *id) else { return Ok(None) };
        self.decrypt_letters(letters.iter_mut().map(|(_, _, payload)| payload).collect()).await?;
        let has = |payload: &[u8]| {
            let text = String::from_utf8_lossy(payload).to_lowercase();
            traces.iter().any(|trace| text.contains(trace))
        };
        let found = letters.iter().filter(|(_, _, payload)| has(payload)).map(|(_, fingerprint, _)| *fingerprint);
        Ok(Some((last, found.collect())))
    }

    /// Erases dead letters: their bytes, and their keys, so that copies of them cannot be read either. They are closed.
    ///
    /// # Errors
    /// As the database says.
    pub async fn erase_letters(&mut self, person: Uuid, fingerprints: &[Uuid]) -> Result<(), Error> {
        execute(&mut self.pg, "begin").await?;
        sqlx::query(
            "update dead_letters set payload = '', headers = null, note = 'erased', resolution = coalesce(resolution, 'discarded'),
                 resolved_at = coalesce(resolved_at, now())
             where fingerprint = any($1)",
        )
        .bind(fingerprints)
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("erase dead letters", error))?;
        sqlx::query(
            "insert into subject_keys as known (subject, person, destroyed_at)
             select subject, $2, now() from unnest($1::uuid[]) as letters (subject) order by subject
             on conflict (subject) do update set wrapped_key = null, wrapped_by = null, person = excluded.person,
                 destroyed_at = coalesce(known.destroyed_at, excluded.destroyed_at)",
        )
        .bind(fingerprints.iter().map(|fingerprint| subject_of_letter(*fingerprint)).collect::<Vec<_>>())
        .bind(person)
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("destroy the keys of dead letters", error))?;
        execute(&mut self.pg, "commit").await
    }

    /// Keys that were destroyed because a person was erased.
    ///
    /// # Errors
    /// As the database says.
    pub async fn keys_destroyed(&mut self, person: Uuid) -> Result<i64, Error> {
        sqlx::query_scalar("select count(*) from subject_keys where person = $1 and destroyed_at is not null")
            .bind(person)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count destroyed keys", error))
    }

    /// Other generations of tables that a rebuild is making or has left; they have rows of their own.
    ///
    /// # Errors
    /// As the database says.
    pub async fn other_generations(&mut self) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(
            "select nspname::text from pg_namespace where nspname in ('milepost_next', 'milepost_previous') order by 1",
        )
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("look for other generations of tables", error))
    }
}
