//! Sealed ranges of the event store: what is to be in ClickHouse, written down before it is sent.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::fed::REPLACEABLE;
use super::horizon::Horizon;
use super::{ANSWER_SECONDS_MAX, Connection, Error, TRANSACTION_SECONDS_MAX, within};
use crate::feed::{Known, Range, Stored};

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
    /// is another's by now. What was outdated before the range was read is in it as it is by now.
    pub(crate) async fn seal(&mut self, range: &Range, outdated: &[i64], tenure: (&str, i64)) -> Result<bool, Error> {
        let sql = "with sealed as (
                       insert into feed_ranges (generation, first_position, last_position, events, content_hash, body)
                       select $1, $2, $3, $4, $5, $6
                       where exists (select from feed_leases where name = $7 and epoch = $8)
                       on conflict do nothing returning first_position, last_position),
                   done as (
                       delete from feed_outdated using sealed
                       where position = any($9) and position between first_position and last_position)
                   select count(*) from sealed";
        let sealing = async {
            let sealed: i64 = sqlx::query_scalar(sql)
                .bind(range.generation)
                .bind(range.first)
                .bind(range.last)
                .bind(range.events)
                .bind(range.hash.cast_signed())
                .bind(&range.body[..])
                .bind(tenure.0)
                .bind(tenure.1)
                .bind(outdated)
                .fetch_one(&mut self.pg)
                .await
                .map_err(|error| Error::classify("seal a range", error))?;
            Ok(sealed == 1)
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
                             join feed_generations using (generation) where state = 'current' and {REPLACEABLE})",
            self.domain.event_log
        );
        let is_fed: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look whether all is fed", error))?;
        Ok(is_fed && self.is_mirrored().await?)
    }

    /// How far the feed is behind: positions given out and not fed (0 if no event has one of them), and seconds since the first of
    /// these events was received.
    pub(crate) async fn unfed(&mut self) -> Result<(i64, f64), Error> {
        let sql = format!(
            "with fed as materialized (
                 select coalesce(max(last_position) filter (where fed_at is not null), 0) as position
                 from feed_ranges join feed_generations using (generation) where state in ('current', 'swapping'))
             select case when first.received_at is null then 0 else
                     greatest((select last_value - (not is_called)::int from {log}_position_seq) - fed.position, 0) end,
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
