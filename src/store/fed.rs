//! Ranges that are in ClickHouse: compared with the store, replaced, and merged when they are old.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Connection, Error, TRANSACTION_SECONDS_MAX, within};
use crate::feed::Range;

/// Positions within which fed ranges are merged.
const MERGED_POSITIONS: i64 = 100_000;

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
    /// Events that the store has there now, with those that were archived and dropped.
    pub(crate) stored: i64,
}

/// Of a row of `feed_ranges`: the store could give all of it again. Archived events it could not.
pub(super) const REPLACEABLE: &str = "not exists (
    select from event_archives where positions && int8multirange(int8range(first_position, last_position, '[]')))";

impl Connection {
    /// Fed ranges of a generation from a position on, with what the store has in each. They are few: old ones are merged.
    pub(crate) async fn fed_ranges(&mut self, generation: i32, from: i64) -> Result<Vec<Fed>, Error> {
        let sql = format!(
            "with ranges as materialized (
                 select first_position, last_position, events, content_hash,
                     row_number() over (order by first_position) as number
                 from feed_ranges where generation = $1 and last_position >= $2 and fed_at is not null),
             bounds as materialized (
                 select array_agg(first_position order by first_position) as firsts,
                     min(first_position) as low, max(last_position) as high from ranges),
             counts as (
                 select width_bucket(position, bounds.firsts) as number, count(*) from {log}, bounds
                 where position between bounds.low and bounds.high group by 1)
             select first_position, last_position, events, content_hash, coalesce(counts.count, 0) + (
                 select coalesce(sum(upper(part) - lower(part)), 0)::int8
                 from event_archives, unnest(positions * int8multirange(int8range(first_position, last_position, '[]'))) as part)
                 as stored
             from ranges left join counts using (number) order by first_position",
            log = self.domain.event_log
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(generation)
            .bind(from)
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
        let ranges = self.fed_ranges(generation, 0).await?;
        Ok(ranges.iter().filter(|range| range.stored != range.events).map(|range| range.first_position).collect())
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

    /// Ranges with positions that changed after they were sealed; not those with archived events, which the store could not
    /// give again.
    pub(crate) async fn outdated(&mut self, generation: i32) -> Result<Vec<(i64, i64)>, Error> {
        let sql = format!(
            "select distinct first_position, last_position from feed_outdated
             join feed_ranges on position between first_position and last_position
             where generation = $1 and fed_at is not null and {REPLACEABLE}
             order by first_position"
        );
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(generation)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for outdated ranges", error))
    }

    /// Fails where ranges hold events that only archives have: the store cannot give them again.
    pub(crate) async fn verify_replaceable(&mut self, ranges: &[(i64, i64)]) -> Result<(), Error> {
        let sql = "select exists (select from event_archives, unnest($1::int8[], $2::int8[]) as ranges (first, last)
                                  where positions && int8multirange(int8range(first, last, '[]')))";
        let (firsts, lasts): (Vec<i64>, Vec<i64>) = ranges.iter().copied().unzip();
        let is_archived: bool = sqlx::query_scalar(sql)
            .bind(firsts)
            .bind(lasts)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look whether events of ranges were archived", error))?;
        match is_archived {
            true => Err(Error::fault("events of these ranges were archived and dropped: they stay as they are".into())),
            false => Ok(()),
        }
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
                 where generation = $1 and first_position = $2 and last_position = $6 returning 1)
             delete from feed_outdated using replaced where position = any($5)",
        )
        .bind(range.generation)
        .bind(range.first)
        .bind(range.events)
        .bind(range.hash.cast_signed())
        .bind(outdated)
        .bind(range.last)
        .execute(&mut self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("write down a replaced range", error))
    }
}
