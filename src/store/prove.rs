//! Reading the accounting back.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Connection, Error, Incarnation};

/// What the accounting says, summed over everything that was handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Messages handled, by their sequences.
    pub received: i64,
    /// Events that had their effect.
    pub applied: i64,
    /// Messages whose event had been taken before.
    pub duplicates: i64,
    /// Events held back now.
    pub waiting: i64,
    /// Events without a contract.
    pub unrouted: i64,
    /// Messages in dead letters.
    pub dead_letters: i64,
    /// Events that our own outbox published.
    pub own: i64,
    /// Events of the stream that wait, by the table of waiting events.
    pub waiting_rows: i64,
    /// Messages in dead letters, by the table of dead letters.
    pub dead_letter_rows: i64,
    /// Events of the stream in the event store, or archived and dropped from it.
    pub stored: i64,
    /// Events in the event store that a replay brought, from elsewhere than the stream.
    pub replayed: i64,
}

impl Connection {
    /// Sums up the books, and counts the rows that they speak of. One snapshot.
    pub(crate) async fn books(&mut self) -> Result<Books, Error> {
        let sql = format!(
            "select coalesce(sum((select coalesce(sum(upper(part) - lower(part)), 0) from unnest(sequences) as part)), 0)::int8,
                 coalesce(sum(applied), 0)::int8, coalesce(sum(duplicates), 0)::int8, coalesce(sum(waiting), 0)::int8,
                 coalesce(sum(unrouted), 0)::int8, coalesce(sum(dead_letters), 0)::int8, coalesce(sum(own), 0)::int8,
                 (select count(distinct waiting.position) from waiting_events as waiting
                  join {log} as log using (event_id, \"timestamp\") where log.stream_sequence is not null),
                 (select coalesce(sum(count), 0)::int8 from dead_letters where resolution is distinct from 'redriven'),
                 (select count(*) from {log} where stream_sequence is not null)
                     + (select coalesce(sum(stream_events), 0)::int8 from event_archives),
                 (select count(*) from {log} where stream_sequence is null)
             from handled_sequences where stream = $1",
            log = self.domain.event_log
        );
        let row: (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
            .bind(&self.domain.stream.name)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read the books", error))?;
        Ok(Books {
            received: row.0,
            applied: row.1,
            duplicates: row.2,
            waiting: row.3,
            unrouted: row.4,
            dead_letters: row.5,
            own: row.6,
            waiting_rows: row.7,
            dead_letter_rows: row.8,
            stored: row.9,
            replayed: row.10,
        })
    }

    /// The incarnation of the stream that the service last agreed to read, with its first sequence at that time.
    pub(crate) async fn known_incarnation(&mut self) -> Result<Option<(Incarnation, u64)>, Error> {
        let known: Option<(DateTime<Utc>, i64)> = sqlx::query_as(
            "select created_at, first_sequence from stream_incarnations
             where stream = $1 order by adopted_at desc, created_at desc limit 1",
        )
        .bind(&self.domain.stream.name)
        .fetch_optional(&mut self.pg)
        .await
        .map_err(|error| Error::classify("read the known incarnation of the stream", error))?;
        Ok(known.map(|(created, first)| (Incarnation(created), u64::try_from(first).unwrap_or_default())))
    }

    /// Agrees to read this incarnation from now on.
    pub(crate) async fn adopt(&mut self, incarnation: Incarnation, first: u64) -> Result<(), Error> {
        sqlx::query(
            "insert into stream_incarnations (stream, created_at, first_sequence) values ($1, $2, $3)
             on conflict (stream, created_at) do update set adopted_at = clock_timestamp()",
        )
        .bind(&self.domain.stream.name)
        .bind(incarnation.0)
        .bind(i64::try_from(first).unwrap_or(i64::MAX))
        .execute(&mut self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("adopt the stream", error))
    }
}
