//! What an operator does with keys: exchanging what wraps them, and encrypting what was stored before there were any.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Opened, encrypt, make_keys, missing, subject_of_letter};
use crate::decode::decode_stored;
use crate::privacy::cipher;
use crate::privacy::keyring::{KeyRing, Wrapped};
use crate::privacy::{encrypted_in, own_subject, subject_of};
use crate::store::{Connection, Error, execute};

/// Keys, events or letters in one transaction.
const AT_ONCE: i64 = 500;

/// How many keys are wrapped by which key-encryption key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Wrapping {
    /// Its name; `None`: the keys are destroyed.
    pub by: Option<String>,
    /// Keys.
    pub keys: i64,
}

#[derive(sqlx::FromRow)]
struct Plain {
    position: i64,
    event_id: Uuid,
    #[sqlx(rename = "timestamp")]
    at: DateTime<Utc>,
    event_type: String,
    payload: String,
}

impl Connection {
    /// Checks that the keys of subjects can be unwrapped here.
    ///
    /// # Errors
    /// `Ok(Err(…))` says what to set when they cannot.
    pub async fn verify_keys(&mut self) -> Result<Result<(), String>, Error> {
        let by: Option<String> =
            sqlx::query_scalar("select wrapped_by from subject_keys where wrapped_by is not null limit 1")
                .fetch_optional(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look how keys are wrapped", error))?;
        let is_there = by.as_ref().is_none_or(|by| self.keys.as_ref().is_some_and(|ring| ring.has(by)));
        Ok(if is_there { Ok(()) } else { Err(missing(&by.unwrap_or_default()).to_string()) })
    }

    /// How keys are wrapped.
    ///
    /// # Errors
    /// As the database says.
    pub async fn wrappings(&mut self) -> Result<Vec<Wrapping>, Error> {
        sqlx::query_as("select wrapped_by as by, count(*) as keys from subject_keys group by 1 order by 1 nulls last")
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count keys", error))
    }

    /// Wraps the next keys anew after a subject, with the key in force; gives the last subject and how many it were.
    ///
    /// # Errors
    /// As the database says; or when a key-encryption key is missing.
    pub async fn rewrap(&mut self, ring: &KeyRing, after: Uuid) -> Result<Option<(Uuid, u64)>, Error> {
        let rows: Vec<(Uuid, Vec<u8>, String)> = sqlx::query_as(
            "select subject, wrapped_key, wrapped_by from subject_keys
             where subject > $1 and wrapped_by <> $2 order by subject limit $3",
        )
        .bind(after)
        .bind(ring.current())
        .bind(AT_ONCE)
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("fetch keys of subjects", error))?;
        let Some((last, ..)) = rows.last() else { return Ok(None) };
        let last = *last;
        let again = |(subject, bytes, by): (Uuid, Vec<u8>, String)| {
            let wrapped = Wrapped { bytes, by };
            let new = ring.wrap_again(subject, &wrapped).ok_or_else(|| missing(&wrapped.by))?;
            Ok((subject, new.bytes, wrapped.by))
        };
        let new = rows.into_iter().map(again).collect::<Result<Vec<_>, Error>>()?;
        // One that was destroyed meanwhile stays destroyed.
        let changed = sqlx::query(
            "update subject_keys as known set wrapped_key = new.wrapped_key, wrapped_by = $4
             from unnest($1::uuid[], $2::bytea[], $3::text[]) as new (subject, wrapped_key, wrapped_by)
             where known.subject = new.subject and known.wrapped_by = new.wrapped_by",
        )
        .bind(new.iter().map(|(subject, ..)| *subject).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, bytes, _)| bytes.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|(.., by)| by.clone()).collect::<Vec<_>>())
        .bind(ring.current())
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("wrap keys anew", error))?;
        Ok(Some((last, changed.rows_affected())))
    }

    /// Up to which position of the event store nothing personal is in the clear.
    ///
    /// # Errors
    /// As the database says.
    pub async fn encrypted_up_to(&mut self) -> Result<i64, Error> {
        sqlx::query_scalar("select coalesce(max(position), 0) from encryption_progress")
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look how far documents are encrypted", error))
    }

    /// Encrypts the next documents that were stored in the clear, up to a position; gives the last position that was
    /// looked at and how many were encrypted, `None` at the end. A transaction of its own.
    ///
    /// # Errors
    /// As the database says.
    pub async fn encrypt_events(&mut self, ring: &KeyRing, up_to: i64) -> Result<Option<(i64, u64)>, Error> {
        let after = self.encrypted_up_to().await?;
        let sql = format!(
            "select position, event_id, \"timestamp\", event_type, payload::text as payload
             from {} where position > $1 and position <= $2 order by position limit $3",
            self.domain.event_log
        );
        let events: Vec<Plain> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(after)
            .bind(up_to)
            .bind(AT_ONCE)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read stored events", error))?;
        let Some(last) = events.last().map(|event| event.position) else { return Ok(None) };
        let mut texts: Vec<String> = events.iter().map(|event| event.payload.clone()).collect();
        self.decrypt(texts.iter_mut().collect()).await?;
        let open = |(event, text): (&Plain, &String)| {
            // What the keys here can read was encrypted when it was stored.
            (event.payload == *text).then(|| self.opened(event)).flatten()
        };
        let opened: Vec<Option<Opened>> = events.iter().zip(&texts).map(open).collect();
        execute(&mut self.pg, "begin").await?;
        let encrypted = encrypt(&mut self.pg, ring, opened).await?;
        let changed = || events.iter().zip(&encrypted).filter_map(|(event, text)| Some((event, text.as_ref()?)));
        let sql = format!(
            "update {} as log set payload = new.payload from unnest($1::uuid[], $2::timestamptz[], $3::jsonb[])
                 as new (event_id, \"timestamp\", payload)
             where log.event_id = new.event_id and log.\"timestamp\" = new.\"timestamp\"",
            self.domain.event_log
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(changed().map(|(event, _)| event.event_id).collect::<Vec<_>>())
            .bind(changed().map(|(event, _)| event.at).collect::<Vec<_>>())
            .bind(changed().map(|(_, text)| crate::json::RawJson(text.clone().into())).collect::<Vec<_>>())
            .execute(&mut self.pg)
            .await
            .map_err(|error| Error::classify("encrypt stored events", error))?;
        sqlx::query(
            "insert into encryption_progress as known (position) values ($1)
             on conflict (only_row) do update set position = greatest(known.position, excluded.position)",
        )
        .bind(last)
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("note how far documents are encrypted", error))?;
        let count = changed().count() as u64;
        execute(&mut self.pg, "commit").await?;
        Ok(Some((last, count)))
    }

    fn opened(&self, stored: &Plain) -> Option<Opened> {
        let event = decode_stored(&self.domain, &stored.event_type, &stored.payload).ok();
        Opened::of(encrypted_in(&self.domain, event.as_ref()), &stored.payload, |cut| match &event {
            Some(event) => subject_of(&self.domain, event, &cut.name),
            None => own_subject("event", stored.event_id),
        })
    }

    /// Encrypts the next dead letters that were kept in the clear; gives the last number that was looked at and how many
    /// were encrypted, `None` at the end.
    ///
    /// # Errors
    /// As the database says.
    pub async fn encrypt_dead_letters(&mut self, ring: &KeyRing, after: i64) -> Result<Option<(i64, u64)>, Error> {
        let letters: Vec<(i64, Uuid, Vec<u8>)> =
            sqlx::query_as("select id, fingerprint, payload from dead_letters where id > $1 order by id limit $2")
                .bind(after)
                .bind(AT_ONCE)
                .fetch_all(&mut self.pg)
                .await
                .map_err(|error| Error::classify("read dead letters", error))?;
        let Some((last, ..)) = letters.last() else { return Ok(None) };
        let last = *last;
        let is_plain = |(_, fingerprint, bytes): &&(i64, Uuid, Vec<u8>)| {
            let own = subject_of_letter(*fingerprint);
            !bytes.is_empty() && cipher::secret_bytes(bytes).is_none_or(|(subject, _)| subject != own)
        };
        let plain: Vec<&(i64, Uuid, Vec<u8>)> = letters.iter().filter(is_plain).collect();
        let subjects = plain.iter().map(|(_, fingerprint, _)| subject_of_letter(*fingerprint)).collect();
        execute(&mut self.pg, "begin").await?;
        let keys = make_keys(&mut self.pg, ring, &subjects).await?;
        let encrypted = |(_, fingerprint, bytes): &&(i64, Uuid, Vec<u8>)| {
            cipher::encrypt_bytes(&keys, subject_of_letter(*fingerprint), bytes).unwrap_or_default()
        };
        sqlx::query(
            "update dead_letters as letter set payload = new.payload
             from unnest($1::int8[], $2::bytea[]) as new (id, payload) where letter.id = new.id",
        )
        .bind(plain.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(plain.iter().map(encrypted).collect::<Vec<_>>())
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("encrypt dead letters", error))?;
        execute(&mut self.pg, "commit").await?;
        Ok(Some((last, plain.len() as u64)))
    }
}
