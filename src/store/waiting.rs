//! Waiting events: which of them may go on, and taking them up again.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::hold::exists;
use super::{Connection, Error, Unit};
use crate::batch::{Batch, Ledger};
use crate::domain::Domain;
use crate::event::Outcome;

/// A stored event that waits.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Waiting {
    /// Its place in the event store.
    pub position: i64,
    /// Its document.
    pub payload: String,
    /// Its type, also the subject it came on.
    pub event_type: String,
    /// The run that received it.
    pub run_id: Uuid,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Its sequence in the stream, if it came from there.
    pub stream_sequence: Option<i64>,
}

/// SQL for the keys that are waited for and exist by now.
fn present(domain: &Domain) -> String {
    let parts: Vec<String> = domain
        .entities
        .iter()
        .enumerate()
        .map(|(index, entity)| {
            let exists = exists(domain, index, "wanted.key");
            format!("select entity, key from wanted where entity = '{}' and {exists}", entity.name)
        })
        .collect();
    match parts.is_empty() {
        true => "select entity, key from wanted where false".to_owned(),
        false => parts.join(" union all "),
    }
}

impl Connection {
    /// Positions of events that wait for nothing any more, oldest first, each with whether its changes are told.
    pub(crate) async fn releasable(&mut self, limit: i64) -> Result<Vec<(i64, bool)>, Error> {
        let sql = format!(
            "with wanted as materialized (select distinct entity, key from waiting_events),
             present as materialized ({})
             select waiting.position, bool_and(waiting.is_told) from waiting_events as waiting left join present using (entity, key)
             group by waiting.position having bool_and(present.key is not null)
             order by waiting.position limit $1",
            present(&self.domain)
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(limit)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for waiting events to release", error))
    }

    /// How many events wait that a run received.
    pub(crate) async fn waiting_of(&mut self, run_id: Uuid) -> Result<i64, Error> {
        sqlx::query_scalar("select count(distinct position) from waiting_events where run_id = $1")
            .bind(run_id)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count waiting events", error))
    }
}

impl Unit<'_> {
    /// Takes up those of the events that nobody else has taken up.
    pub(crate) async fn take_up(&mut self, positions: &[i64]) -> Result<Vec<Waiting>, Error> {
        let sql = format!(
            "with free as materialized (
                 select position, event_id, \"timestamp\", run_id from waiting_events
                 where position = any($1::int8[]) order by position, entity, key for update skip locked),
             whole as (
                 select position, event_id, \"timestamp\", run_id from free group by position, event_id, \"timestamp\", run_id
                 having count(*) = (select count(*) from waiting_events as waiting where waiting.position = free.position))
             select log.position, log.payload::text as payload, log.event_type, log.received_at, log.stream_sequence, whole.run_id
             from whole join {} as log using (event_id, \"timestamp\") order by log.position",
            self.domain.event_log
        );
        let mut waiting: Vec<Waiting> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(positions)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("take up waiting events", error))?;
        self.decrypt(waiting.iter_mut().map(|event| &mut event.payload).collect()).await?;
        Ok(waiting)
    }

    /// Writes down what became of events that were taken up.
    pub(crate) async fn settle(&mut self, batch: &Batch, ledger: &Ledger, waiting: &[Waiting]) -> Result<(), Error> {
        let done: Vec<usize> =
            (0..ledger.outcomes.len()).filter(|index| ledger.outcomes[*index] != Outcome::Waiting).collect();
        let refusal = |index: &usize| {
            let found = ledger.rejections.iter().find(|(rejected, _)| rejected == index);
            found.map(|(_, rejection)| format!("{}: {}", rejection.reason.code(), rejection.message))
        };
        self.withdraw(done.iter().filter(|index| refusal(index).is_some()).map(|index| &waiting[*index])).await?;
        // What is a dead letter now is no event of the store, and its claim has failed: so it can be redriven.
        let sql = format!(
            "with done as (select * from unnest($1::int8[], $2::text[]) as done (position, refusal)),
             free as (
                 delete from waiting_events as waiting using done where waiting.position = done.position
                 returning waiting.event_id, waiting.\"timestamp\", waiting.entity, waiting.key, waiting.waiting_since,
                     done.refusal),
             kept as (
                 insert into released_waits (event_id, entity, key, waiting_since)
                 select event_id, entity, key, waiting_since from free
                 on conflict (event_id, entity, key) do update -- withdrawn, redriven, and waiting once more
                     set waiting_since = excluded.waiting_since, released_at = excluded.released_at),
             unclaimed as (
                 update event_deduplication as claim set success = false, error_message = free.refusal from free
                 where free.refusal is not null and claim.consumer_id = $3 and claim.event_id = free.event_id::text)
             update {log} as log set processed_at = now() from free
             where free.refusal is null and log.event_id = free.event_id and log.\"timestamp\" = free.\"timestamp\"",
            log = self.domain.event_log
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(done.iter().map(|index| waiting[*index].position).collect::<Vec<_>>())
            .bind(done.iter().map(refusal).collect::<Vec<_>>())
            .bind(&self.domain.consumer.durable)
            .execute(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("settle released events", error))?;
        self.wait_on(batch, ledger).await
    }

    /// Takes events out of the store that turned out to be dead letters. Through a function: the service itself may
    /// delete nothing there.
    async fn withdraw(&mut self, dead: impl Iterator<Item = &Waiting>) -> Result<(), Error> {
        let positions: Vec<i64> = dead.map(|event| event.position).collect();
        if positions.is_empty() {
            return Ok(());
        }
        let sql = format!("select {}_withdraw($1::int8[])", self.domain.event_log);
        sqlx::query(AssertSqlSafe(sql))
            .bind(positions)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("withdraw dead letters from the event store", error))
    }

    /// Of an event that still waits, just what is missing now is waited for.
    async fn wait_on(&mut self, batch: &Batch, ledger: &Ledger) -> Result<(), Error> {
        if ledger.held.is_empty() {
            return Ok(());
        }
        let held = || {
            let one = |(index, missing)| (batch.event(index).id, missing);
            ledger
                .held
                .iter()
                .flat_map(move |(index, missing)| missing.iter().map(move |reference| one((*index, reference))))
        };
        let statements = [
            "insert into waiting_events (position, entity, key, event_id, \"timestamp\", event_type, run_id, waiting_since, is_told)
             select distinct position, missing.entity, missing.key, event_id, \"timestamp\", event_type, run_id, waiting_since, is_told
             from unnest($1::uuid[], $2::text[], $3::uuid[]) as missing (event_id, entity, key)
             join waiting_events as known using (event_id)
             on conflict do nothing",
            "with there as (
                 delete from waiting_events as waiting
                 where waiting.event_id = any($1::uuid[])
                   and not exists (select 1 from unnest($1::uuid[], $2::text[], $3::uuid[]) as missing (event_id, entity, key)
                                   where missing.event_id = waiting.event_id and missing.entity = waiting.entity
                                     and missing.key = waiting.key)
                 returning event_id, entity, key, waiting_since)
             insert into released_waits (event_id, entity, key, waiting_since)
             select * from there
             on conflict (event_id, entity, key) do update -- withdrawn, redriven, and waiting once more
                 set waiting_since = excluded.waiting_since, released_at = excluded.released_at",
        ];
        for statement in statements {
            sqlx::query(statement)
                .bind(held().map(|(id, _)| id).collect::<Vec<_>>())
                .bind(
                    held()
                        .map(|(_, reference)| self.domain.entities[reference.entity].name.clone())
                        .collect::<Vec<_>>(),
                )
                .bind(held().map(|(_, reference)| reference.key).collect::<Vec<_>>())
                .execute(&mut *self.pg)
                .await
                .map_err(|error| Error::classify("wait on", error))?;
        }
        Ok(())
    }
}
