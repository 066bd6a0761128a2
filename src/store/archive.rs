//! Months of the event store: reading them out, and dropping them. For operators: it needs the owner's rights.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use super::audit_logs::{Change, Operator};
use super::fed::REPLACEABLE;
use super::{Connection, Error, Unit, execute};
use crate::archive::Manifest;

/// A month of the event store, that is a partition.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Month {
    /// Its table.
    pub partition: String,
    /// Its first day.
    pub month: NaiveDate,
}

/// From where to where a month goes.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Extent {
    /// The first position.
    pub first_position: i64,
    /// The last position.
    pub last_position: i64,
    /// The earliest time of an event.
    pub first_time: DateTime<Utc>,
    /// The latest.
    pub last_time: DateTime<Utc>,
    /// How many events it has.
    pub events: i64,
}

/// An event as it was received.
#[derive(Debug, FromRow)]
pub(crate) struct Received {
    pub(crate) position: i64,
    pub(crate) event_type: String,
    pub(crate) payload: String,
}

/// What came of dropping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropping {
    /// It is gone.
    Dropped,
    /// It holds something else than the file.
    Changed,
    /// Tables are being made anew from it.
    Needed,
}

/// What stands against dropping a month, in words.
const OBJECTIONS: [(&str, &str); 4] = [
    (
        "events of it wait",
        "exists (select from waiting_events where \"timestamp\" >= $1::timestamptz and \"timestamp\" < $1 + interval '1 month')",
    ),
    ("rules are being applied", "exists (select from journey_rules where state = 'applying')"),
    (
        "ClickHouse has not got all of it, or is being rebuilt\n  hint: `milepost run --until-idle`; \
         `milepost rebuild analytics --drop-previous`",
        "exists (select from feed_generations where state in ('building', 'swapping'))
         or exists (select from feed_ranges where fed_at is null and first_position <= $2)
         or exists (select from feed_generations as generation where state <> 'dropped'
                        and exists (select from feed_ranges)
                        and $2 > (select coalesce(max(last_position), 0) from feed_ranges
                                  where feed_ranges.generation = generation.generation and fed_at is not null))",
    ),
    (
        "ranges in ClickHouse are to be replaced\n  hint: `milepost run --until-idle`",
        "exists (select from feed_outdated join feed_ranges on position between first_position and last_position
                 join feed_generations using (generation) where state = 'current' and {replaceable})",
    ),
];

impl Connection {
    /// The months of the store that end before this day, oldest first.
    pub(crate) async fn months_before(&mut self, before: NaiveDate) -> Result<Vec<Month>, Error> {
        sqlx::query_as(
            "select relname::text as partition, to_date(right(relname, 7), 'YYYY_MM') as month
             from pg_inherits join pg_class on pg_class.oid = inhrelid
             where inhparent = to_regclass($1)
               and case when relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$')
                        then to_date(right(relname, 7), 'YYYY_MM') + interval '1 month' <= $2 else false end
             order by month",
        )
        .bind(&self.domain.event_log)
        .bind(before)
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("list the months of the event store", error))
    }

    /// From where to where a month goes; nothing when it is empty.
    pub(crate) async fn extent(&mut self, month: &Month) -> Result<Option<Extent>, Error> {
        let sql = format!(
            "select min(position) as first_position, max(position) as last_position, min(\"timestamp\") as first_time,
                 max(\"timestamp\") as last_time, count(*) as events
             from {} having count(*) > 0",
            month.partition
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .fetch_optional(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look from where to where a month goes", error))
    }

    /// Events of a month after a position and up to another, in order.
    pub(crate) async fn month_events(
        &mut self,
        month: &Month,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<Received>, Error> {
        let sql = format!(
            "select position, event_type, payload::text as payload from {}
             where position > $1 and position <= $2 order by position limit $3",
            month.partition
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(after)
            .bind(up_to)
            .bind(limit)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read a month of the event store", error))
    }

    /// Why a month must not be dropped; empty when it may be.
    pub(crate) async fn objections(&mut self, month: &Month) -> Result<Vec<&'static str>, Error> {
        let last = self.extent_end(month).await?.unwrap_or(0);
        let first_day = month.month.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc();
        let mut objections = Vec::new();
        for (objection, condition) in OBJECTIONS {
            let condition = condition.replace("{replaceable}", REPLACEABLE);
            let sql = format!("select ({condition}) and $1::timestamptz is not null and $2::int8 is not null");
            let holds: bool = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(first_day)
                .bind(last)
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look what stands against dropping a month", error))?;
            objections.extend(holds.then_some(objection));
        }
        Ok(objections)
    }

    /// Keeps the ids of a month: they are known when they come again. Before the month goes; twice is once. Not those of
    /// events that wait: they may turn out to be dead, and be taken later after all.
    pub(crate) async fn keep_ids(&mut self, month: &Month) -> Result<(), Error> {
        let sql = format!(
            "insert into event_ids (event_id, content_hash) select event_id, content_hash from {} as log
             where not exists (select from waiting_events where waiting_events.position = log.position)
             order by event_id on conflict do nothing",
            month.partition
        );
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("keep the ids of a month", error))
    }

    /// Drops a month, if it is still what was archived. Nobody else reads or writes the store in this moment; who waits
    /// for it longer than a moment makes us give up. The row in the audit log stands and falls with it.
    pub(crate) async fn drop_month(
        &mut self,
        month: &Month,
        manifest: &Manifest,
        kept: Option<&Extent>,
        (operator, change): (&Operator, &Change),
    ) -> Result<Dropping, Error> {
        let last = kept.map(|extent| extent.last_position);
        let described = format!(
            "insert into event_archives
                 (partition_name, file, sha256, events, stream_events, positions, first_time, last_time)
             select $1, $2, $3, count(*), count(stream_sequence), range_agg(int8range(position, position, '[]')), $4, $5
             from {} having count(*) = $6 and max(position) = $7",
            month.partition
        );
        execute(&mut self.pg, "begin").await?;
        if !self.no_rebuild().await? {
            self.rollback().await?;
            return Ok(Dropping::Needed);
        }
        // Whoever is adding to it has committed by then, and nobody begins: also not at a position below the last one.
        execute(&mut self.pg, "set local lock_timeout = '300ms'").await?;
        self.run(&format!("lock table {} in share mode", month.partition)).await?;
        let is_described = sqlx::query(AssertSqlSafe(described))
            .bind(&month.partition)
            .bind(&manifest.file)
            .bind(&manifest.sha256)
            .bind(manifest.first_time)
            .bind(manifest.last_time)
            .bind(i64::try_from(manifest.events).unwrap_or(i64::MAX))
            .bind(manifest.last_position)
            .execute(&mut self.pg)
            .await
            .map_err(|error| Error::classify("note an archive", error))?
            .rows_affected()
            == 1;
        self.audit(operator, change).await?;
        let lock = format!("lock table {} in access exclusive mode", self.domain.event_log);
        self.run(&lock).await?;
        let now = self.extent_end(month).await?;
        if !is_described
            || now != last
            || now != Some(manifest.last_position)
            || !self.objections(month).await?.is_empty()
        {
            self.rollback().await?;
            return Ok(Dropping::Changed);
        }
        self.run(&format!("alter table {} detach partition {}", self.domain.event_log, month.partition)).await?;
        self.run(&format!("drop table {}", month.partition)).await?;
        execute(&mut self.pg, "commit").await?;
        Ok(Dropping::Dropped)
    }

    async fn extent_end(&mut self, month: &Month) -> Result<Option<i64>, Error> {
        sqlx::query_scalar(AssertSqlSafe(format!("select max(position) from {}", month.partition)))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look where a month ends", error))
    }

    async fn run(&mut self, sql: &str) -> Result<(), Error> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify(sql, error))
    }

    /// Fails where something is to be made from all that ever happened, and months of it are only in archives.
    ///
    /// # Errors
    /// When months were dropped; as the database says.
    pub async fn verify_whole(&mut self) -> Result<(), Error> {
        whole(sqlx::query_scalar(DROPPED).fetch_one(&mut self.pg).await)
    }
}

impl Unit<'_> {
    /// As [`Connection::verify_whole`], as of the transaction.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn verify_whole(&mut self) -> Result<(), Error> {
        whole(sqlx::query_scalar(DROPPED).fetch_one(&mut *self.pg).await)
    }
}

const DROPPED: &str = "select count(*) from event_archives";

fn whole(dropped: Result<i64, sqlx::Error>) -> Result<(), Error> {
    match dropped.map_err(|error| Error::classify("look which months were dropped", error))? {
        0 => Ok(()),
        months => Err(Error::fault(format!(
            "this needs all events, and {months} months of them were archived and dropped\n  hint: publish the archives \
             (`event_archives` names the files), and what came after them, into a database and a stream of their own"
        ))),
    }
}
