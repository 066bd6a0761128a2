//! Sealed ranges of the event store: what is to be in ClickHouse, written down before it is sent.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::horizon::Horizon;
use super::{ANSWER_SECONDS_MAX, Connection, Error, TRANSACTION_SECONDS_MAX, within};
use crate::feed::{Known, Range, Stored};

/// Positions within which fed ranges are merged.
const MERGED_POSITIONS: i64 = 100_000;
/// Ranges read at a time.
const RANGES_AT_ONCE: i64 = 2000;

impl Connection {
    /// Stored events after a position and up to another, in order; as many as the limits allow, but one at least.
    pub(crate) async fn stored(
        &mut self,
        after: i64,
        up_to: i64,
        (limit, bytes_max): (i64, usize),
    ) -> Result<Vec<Stored>, Error> {
        let sql = format!(
            "select position, event_id, event_type, version, user_id, \"timestamp\", received_at, correlation_id,
                 payload::text as payload
             from {} where position > $1 and position <= $2 order by position limit $3",
            self.domain.event_log
        );
        let read = |row: PgRow| {
            Ok(Stored {
                position: row.try_get(0)?,
                event_id: row.try_get(1)?,
                event_type: row.try_get(2)?,
                version: row.try_get(3)?,
                user_id: row.try_get(4)?,
                timestamp: row.try_get(5)?,
                received_at: row.try_get(6)?,
                correlation_id: row.try_get(7)?,
                payload: row.try_get(8)?,
            })
        };
        let reading = async {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(up_to).bind(limit).try_map(read);
            let (mut rows, mut stored, mut bytes) = (query.fetch(&mut self.pg), Vec::new(), 0);
            while bytes < bytes_max
                && let Some(event) =
                    rows.try_next().await.map_err(|error| Error::classify("read stored events", error))?
            {
                bytes += event.payload.len();
                stored.push(event);
            }
            Ok(stored)
        };
        within(TRANSACTION_SECONDS_MAX, "reading stored events", reading).await
    }

    /// What is known of people, column by column of the layout.
    pub(crate) async fn known_of(&mut self, people: &[Uuid]) -> Result<Known, Error> {
        let domain = self.domain();
        let Some(sql) = domain.layout.known.as_ref().filter(|_| !people.is_empty()) else {
            return Ok(Known::default());
        };
        let asking = async {
            let rows = sqlx::query(AssertSqlSafe(sql.clone())).bind(people).fetch_all(&mut self.pg).await?;
            let mut known = Known::default();
            for row in rows {
                let columns = domain.layout.dimensions.iter();
                let values = columns.map(|column| row.try_get(column.as_str())).collect::<Result<_, _>>()?;
                known.0.entry(row.try_get("user_id")?).or_default().push((row.try_get("since")?, values));
            }
            Ok(known)
        };
        let asking = async { asking.await.map_err(|error| Error::classify("ask what is known of people", error)) };
        within(TRANSACTION_SECONDS_MAX, "asking what is known of people", asking).await
    }

    /// Seals a range: from here on, these bytes are what it is. False when somebody else has sealed there, or the lease
    /// is another's by now.
    pub(crate) async fn seal(&mut self, range: &Range, tenure: (&str, i64)) -> Result<bool, Error> {
        let sql = "insert into feed_ranges (generation, first_position, last_position, events, content_hash, body)
                   select $1, $2, $3, $4, $5, $6
                   where exists (select from feed_leases where name = $7 and epoch = $8)
                   on conflict do nothing";
        let sealing = async {
            let done = sqlx::query(sql)
                .bind(range.generation)
                .bind(range.first)
                .bind(range.last)
                .bind(range.events)
                .bind(range.hash.cast_signed())
                .bind(&range.body[..])
                .bind(tenure.0)
                .bind(tenure.1)
                .execute(&mut self.pg)
                .await
                .map_err(|error| Error::classify("seal a range", error))?;
            Ok(done.rows_affected() == 1)
        };
        within(TRANSACTION_SECONDS_MAX, "sealing a range", sealing).await
    }

    /// Marks a range: count and hash were found equal in ClickHouse.
    pub(crate) async fn mark_fed(&mut self, range: &Range) -> Result<(), Error> {
        let sql = "update feed_ranges set fed_at = clock_timestamp(), body = null
                   where generation = $1 and first_position = $2 and fed_at is null";
        let marking = async {
            sqlx::query(sql)
                .bind(range.generation)
                .bind(range.first)
                .execute(&mut self.pg)
                .await
                .map(|_| ())
                .map_err(|error| Error::classify("mark a range", error))
        };
        within(TRANSACTION_SECONDS_MAX, "marking a range", marking).await
    }

    /// The first range of a generation that is sealed and not fed.
    pub(crate) async fn first_unfed(&mut self, generation: i32) -> Result<Option<Range>, Error> {
        let sql = "select first_position, last_position, events, content_hash, body from feed_ranges
                   where generation = $1 and fed_at is null order by first_position limit 1";
        let reading = async {
            sqlx::query_as::<_, (i64, i64, i64, i64, Vec<u8>)>(sql)
                .bind(generation)
                .fetch_optional(&mut self.pg)
                .await
                .map_err(|error| Error::classify("read a sealed range", error))
        };
        let found = within(TRANSACTION_SECONDS_MAX, "reading a sealed range", reading).await?;
        Ok(found.map(|(first, last, events, hash, body)| Range {
            generation,
            first,
            last,
            events,
            hash: hash.cast_unsigned(),
            body: body.into(),
            text: None,
        }))
    }

    /// The sequence that positions come from.
    pub(crate) fn positions(&self) -> Horizon {
        Horizon::of(format!("{}_position_seq", self.domain.event_log))
    }

    /// Whether everything that is stored is in ClickHouse.
    pub(crate) async fn is_fed(&mut self) -> Result<bool, Error> {
        let sql = format!(
            "select not exists (select from {} where position > coalesce((
                 select max(last_position) from feed_ranges join feed_generations using (generation)
                 where state = 'current'), 0))
             and not exists (select from feed_ranges join feed_generations using (generation)
                             where state = 'current' and fed_at is null)
             and not exists (select from feed_outdated join feed_ranges on position between first_position and last_position
                             join feed_generations using (generation) where state = 'current')",
            self.domain.event_log
        );
        let is_fed: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look whether all is fed", error))?;
        Ok(is_fed && self.is_mirrored().await?)
    }

    /// How far the feed is behind: positions given out and not fed, and seconds since the first of them was received.
    pub(crate) async fn unfed(&mut self) -> Result<(i64, f64), Error> {
        let sql = format!(
            "with fed as materialized (
                 select coalesce(max(last_position) filter (where fed_at is not null), 0) as position
                 from feed_ranges join feed_generations using (generation) where state in ('current', 'swapping'))
             select greatest((select case when is_called then last_value else last_value - 1 end
                              from {log}_position_seq) - fed.position, 0),
                 coalesce(extract(epoch from now() - first.received_at), 0)::float8
             from fed left join lateral (
                 select received_at from {log} where position > fed.position order by position limit 1) as first on true",
            log = self.domain.event_log
        );
        let counting = async {
            sqlx::query_as(AssertSqlSafe(sql))
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look how far the feed is behind", error))
        };
        within(ANSWER_SECONDS_MAX, "looking how far the feed is behind", counting).await
    }

    /// The last position up to which everything of a generation is fed; 0 before the first.
    pub(crate) async fn last_fed(&mut self, generation: i32) -> Result<i64, Error> {
        let sql = "select coalesce(max(last_position), 0) from feed_ranges where generation = $1 and first_position <
                       coalesce((select min(first_position) from feed_ranges where generation = $1 and fed_at is null),
                                9223372036854775807)";
        sqlx::query_scalar(sql)
            .bind(generation)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read how far ranges are fed", error))
    }

    /// The last position that a generation has sealed; 0 before the first.
    pub(crate) async fn last_sealed(&mut self, generation: i32) -> Result<i64, Error> {
        let sql = "select coalesce(max(last_position), 0) from feed_ranges where generation = $1";
        sqlx::query_scalar(sql)
            .bind(generation)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read how far ranges are sealed", error))
    }
}

/// A range that was fed, without its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Fed {
    /// Its first position.
    pub(crate) first_position: i64,
    /// Its last position.
    pub(crate) last_position: i64,
    /// Events sealed.
    pub(crate) events: i64,
    /// Their hash.
    pub(crate) content_hash: i64,
    /// Events that the store has there now.
    pub(crate) stored: i64,
}

impl Connection {
    /// Fed ranges of a generation from a position on, at most so many, with what the store has in each.
    pub(crate) async fn fed_ranges(&mut self, generation: i32, from: i64, limit: i64) -> Result<Vec<Fed>, Error> {
        let sql = format!(
            "with ranges as materialized (
                 select first_position, last_position, events, content_hash from feed_ranges
                 where generation = $1 and last_position >= $2 and fed_at is not null
                 order by first_position limit $3),
             bounds as materialized (
                 select array_agg(first_position order by first_position) as firsts,
                     min(first_position) as low, max(last_position) as high from ranges),
             counts as (
                 select width_bucket(position, bounds.firsts) as number, count(*) from {log}, bounds
                 where position between bounds.low and bounds.high group by 1)
             select first_position, last_position, events, content_hash, coalesce(counts.count, 0) as stored
             from (select *, row_number() over (order by first_position) as number from ranges) as numbered
             left join counts using (number) order by first_position",
            log = self.domain.event_log
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(generation)
            .bind(from)
            .bind(limit)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read the fed ranges", error))
    }

    /// The first position that was received at or after a moment.
    pub(crate) async fn position_since(&mut self, since: DateTime<Utc>) -> Result<i64, Error> {
        let sql = format!(
            "select coalesce(min(position), 9223372036854775807) from {} where received_at >= $1",
            self.domain.event_log
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(since)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for the first position since then", error))
    }

    /// Stored events that a generation has not got yet.
    pub(crate) async fn unfed_events(&mut self, generation: i32) -> Result<i64, Error> {
        let sql = format!(
            "select count(*) from {} where position > (
                 select coalesce(max(last_position), 0) from feed_ranges where generation = $1 and fed_at is not null)",
            self.domain.event_log
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(generation)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count what is to be fed", error))
    }

    /// Fed ranges of a generation that are not of as many events as the store has there now.
    pub(crate) async fn differing_from_store(&mut self, generation: i32) -> Result<Vec<i64>, Error> {
        let (mut differing, mut from) = (Vec::new(), 0);
        loop {
            let ranges = self.fed_ranges(generation, from, RANGES_AT_ONCE).await?;
            let Some(last) = ranges.last() else {
                return Ok(differing);
            };
            from = last.last_position + 1;
            differing
                .extend(ranges.iter().filter(|range| range.stored != range.events).map(|range| range.first_position));
        }
    }

    /// Notes that the ranges of these positions are to be replaced.
    pub(crate) async fn note_outdated(&mut self, positions: &[i64]) -> Result<(), Error> {
        sqlx::query("insert into feed_outdated (position) select * from unnest($1) on conflict do nothing")
            .bind(positions)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("note outdated positions", error))
    }

    /// Ranges with positions that changed after they were sealed.
    pub(crate) async fn outdated(&mut self, generation: i32) -> Result<Vec<(i64, i64)>, Error> {
        sqlx::query_as(
            "select distinct first_position, last_position from feed_outdated
             join feed_ranges on position between first_position and last_position
             where generation = $1 and fed_at is not null order by first_position",
        )
        .bind(generation)
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("look for outdated ranges", error))
    }

    /// Merges small ranges that were fed a while ago, so that years of them stay few: neighbours within the same
    /// [`MERGED_POSITIONS`] become one. Counts and hashes add up.
    pub(crate) async fn merge_ranges(&mut self, generation: i32) -> Result<u64, Error> {
        // Only real neighbours: a range between two of them may have been replaced just now.
        let sql = "with found as (
                 select first_position, last_position, events, content_hash,
                     first_position / $2 as part,
                     last_position - sum(last_position - first_position + 1) over (order by first_position) as neighbours
                 from feed_ranges
                 where generation = $1 and fed_at < clock_timestamp() - interval '1 hour'
                   and last_position <= (select max(last_position) from feed_ranges where generation = $1) - $2
                 order by first_position limit 100000),
             old as (
                 select first_position, last_position, events, content_hash,
                     min(first_position) over (partition by part, neighbours) as \"into\"
                 from found),
             merged as (
                 select \"into\", max(last_position) as last_position, sum(events) as events,
                     mod(sum(content_hash), 18446744073709551616) as hash
                 from old group by \"into\" having count(*) > 1),
             gone as (
                 delete from feed_ranges using old join merged using (\"into\")
                 where generation = $1 and feed_ranges.first_position = old.first_position
                   and old.first_position <> \"into\" returning 1)
             update feed_ranges set last_position = merged.last_position, events = merged.events,
                 content_hash = (case when hash >= 9223372036854775808 then hash - 18446744073709551616
                                      when hash < -9223372036854775808 then hash + 18446744073709551616
                                      else hash end)::int8
             from merged where generation = $1 and first_position = \"into\" and exists (select from gone)";
        let merging = async {
            let done = sqlx::query(sql)
                .bind(generation)
                .bind(MERGED_POSITIONS)
                .execute(&mut self.pg)
                .await
                .map_err(|error| Error::classify("merge fed ranges", error))?;
            Ok(done.rows_affected())
        };
        within(TRANSACTION_SECONDS_MAX, "merging fed ranges", merging).await
    }

    /// Positions between two that changed after they were sealed, as far as that is committed.
    pub(crate) async fn outdated_between(&mut self, first: i64, last: i64) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar("select position from feed_outdated where position between $1 and $2")
            .bind(first)
            .bind(last)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for outdated positions", error))
    }

    /// Writes down what a range that was replaced holds now, and that these outdated positions are done with: those
    /// that were noted before it was read, for what is noted later it may hold yet.
    pub(crate) async fn replaced(&mut self, range: &Range, outdated: &[i64]) -> Result<(), Error> {
        sqlx::query(
            "with replaced as (
                 update feed_ranges set events = $3, content_hash = $4, fed_at = clock_timestamp(), body = null
                 where generation = $1 and first_position = $2 returning 1)
             delete from feed_outdated using replaced where position = any($5)",
        )
        .bind(range.generation)
        .bind(range.first)
        .bind(range.events)
        .bind(range.hash.cast_signed())
        .bind(outdated)
        .execute(&mut self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("write down a replaced range", error))
    }
}
