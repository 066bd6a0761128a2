//! Filling a generation: which events are still to have their effect in it, and the account of those that had.
//!
//! A generation holds the effects of just those events that have had theirs in the live tables, and of those that have a
//! contract by now. What waits there waits here, whether or not it could go: two tables are only comparable when both are
//! made of the same events.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::Generation;
use crate::batch::{Batch, Ledger, Message};
use crate::decode::decode_stored;
use crate::event::{Outcome, Route};
use crate::store::{Connection, Error, Unit};

/// Most events that are named.
const LACKS_SHOWN: i64 = 10;

/// Events that have their effect together.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Of these positions, the first not included.
    Range(i64, i64),
    /// Those that were held.
    Held(Vec<i64>),
}

impl Part {
    /// Two halves, to find out which one holds the event that the database refuses; `None` when it is one event.
    pub(crate) fn halves(self) -> Option<[Self; 2]> {
        match self {
            Self::Range(after, up_to) if up_to - after > 1 => {
                let middle = after + (up_to - after) / 2;
                Some([Self::Range(after, middle), Self::Range(middle, up_to)])
            }
            Self::Held(mut positions) if positions.len() > 1 => {
                let back = positions.split_off(positions.len() / 2);
                Some([Self::Held(positions), Self::Held(back)])
            }
            _ => None,
        }
    }
}

/// The events of a part, read.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// Those that are to have their effect.
    pub(crate) batch: Batch,
    /// Of each: its position, and whether it has had its effect in the live tables.
    places: Vec<(i64, bool)>,
    waiting: Vec<i64>,
    refused: Vec<(i64, String, String)>,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Events that had their effect.
    pub(crate) applied: u64,
    /// Events that are held until what they refer to is there.
    pub(crate) held: u64,
}

impl std::ops::AddAssign for Filled {
    fn add_assign(&mut self, other: Self) {
        self.applied += other.applied;
        self.held += other.held;
    }
}

/// An event that has had its effect in the live tables, and has none in the generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Lack {
    /// Which one.
    pub event_id: uuid::Uuid,
    /// Its type.
    pub event_type: String,
    /// Why, in words.
    pub why: String,
}

/// Events without effect in the generation: how many, and the first few.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lacks {
    /// How many.
    pub events: i64,
    /// Some of them.
    pub some: Vec<Lack>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    position: i64,
    event_type: String,
    payload: String,
    received_at: DateTime<Utc>,
    is_processed: bool,
    is_waiting: bool,
}

impl Connection {
    /// What is missing up to a position, as parts of so many positions.
    pub(crate) async fn missing_parts(&mut self, up_to: i64, size: i64) -> Result<Vec<Part>, Error> {
        let sql = "select lower(gap), upper(gap) - 1 from rebuild_book
             cross join lateral unnest(int8multirange(int8range(0, $1, '[]')) - done) as gap order by 1";
        let gaps: Vec<(i64, i64)> = sqlx::query_as(sql)
            .bind(up_to)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look what is to be filled", error))?;
        let parts = |(first, last): (i64, i64)| {
            let step = usize::try_from(size).unwrap_or(usize::MAX);
            (first - 1..last).step_by(step).map(move |after| Part::Range(after, (after + size).min(last)))
        };
        Ok(gaps.into_iter().flat_map(parts).collect())
    }

    /// How many positions are missing up to one.
    pub(crate) async fn missing(&mut self, up_to: i64) -> Result<i64, Error> {
        let sql = "select coalesce(sum(upper(gap) - lower(gap)), 0)::int8 from rebuild_book
             cross join lateral unnest(int8multirange(int8range(0, $1, '[]')) - done) as gap";
        sqlx::query_scalar(sql)
            .bind(up_to)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count what is to be filled", error))
    }

    /// Held events that wait for nothing but what is missing in the generation.
    pub(crate) async fn held_back(&mut self) -> Result<Vec<i64>, Error> {
        let sql = "select position from rebuild_held as held
             where not exists (select from public.waiting_events as waiting where waiting.position = held.position)
             order by position";
        sqlx::query_scalar(sql)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for held events", error))
    }

    /// Writes down that an event is to be tried again when all the others are there.
    pub(crate) async fn set_aside(&mut self, generation: &Generation, part: &Part) -> Result<(), Error> {
        let Part::Range(after, up_to) = part else {
            return Ok(());
        };
        let sql = format!(
            "with held as (
                 insert into rebuild_held select position from {} where position > $1 and position <= $2
                 on conflict do nothing)
             update rebuild_book set done = done + int8multirange(int8range($1, $2, '(]')) where id = $3",
            self.domain.event_log
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(up_to).bind(generation.id);
        query.execute(&mut self.pg).await.map(|_| ()).map_err(|error| Error::classify("set an event aside", error))
    }

    /// Writes down that an event was refused; it is held no more.
    pub(crate) async fn refused(&mut self, generation: &Generation, part: &Part, why: &str) -> Result<(), Error> {
        let (first, last) = match part {
            Part::Range(after, up_to) => (after + 1, *up_to),
            Part::Held(positions) => positions.first().map_or((0, 0), |position| (*position, *position)),
        };
        let sql = format!(
            "with refused as (
                 insert into rebuild_refused (position, event_type, message)
                 select position, event_type, $3 from {} where position between $1 and $2 on conflict do nothing),
             unheld as (delete from rebuild_held where position between $1 and $2)
             update rebuild_book set done = done + int8multirange(int8range($1, $2, '[]')) where id = $4",
            self.domain.event_log
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(first).bind(last).bind(why).bind(generation.id);
        query
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("write down a refused event", error))
    }

    /// Events that the live tables have the effect of, and the generation has not.
    pub(crate) async fn lacks(&mut self) -> Result<Lacks, Error> {
        // One that has had no effect in the live tables either has none to lose.
        let lacking = format!(
            "from (select position, 'what it refers to is not there' as why from rebuild_held
                   union all select position, message from rebuild_refused) as lacking
             join {} as log using (position) where processed_at is not null",
            self.domain.event_log
        );
        let failed = |error| Error::classify("look for events without effect", error);
        let sql = format!("select count(*) {lacking}");
        let events = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.pg).await.map_err(failed)?;
        let sql = format!("select event_id, log.event_type, why {lacking} order by position limit $1");
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(LACKS_SHOWN);
        Ok(Lacks { events, some: query.fetch_all(&mut self.pg).await.map_err(failed)? })
    }
}

impl Unit<'_> {
    /// Reads the events of a part.
    pub(crate) async fn portion(&mut self, part: &Part) -> Result<Portion, Error> {
        let which = match part {
            Part::Range(..) => "position > $1 and position <= $2",
            Part::Held(_) => "position = any($1)",
        };
        let sql = format!(
            "select position, event_type, payload::text as payload, received_at, processed_at is not null as is_processed,
                 processed_at is null and exists (
                     select from public.waiting_events as waiting where waiting.position = log.position) as is_waiting
             from {} as log where {which} order by position",
            self.domain.event_log
        );
        let query = sqlx::query_as(AssertSqlSafe(sql));
        let query = match part {
            Part::Range(after, up_to) => query.bind(after).bind(up_to),
            Part::Held(positions) => query.bind(positions),
        };
        let mut stored: Vec<Stored> =
            query.fetch_all(&mut *self.pg).await.map_err(|error| Error::classify("read stored events", error))?;
        self.decrypt(stored.iter_mut().map(|event| &mut event.payload).collect()).await?;
        let mut portion = Portion::default();
        for event in stored {
            portion.take(&self.domain, event);
        }
        Ok(portion)
    }

    /// Writes down what became of a part, in the transaction of its effects.
    pub(crate) async fn book(
        &mut self,
        generation: &Generation,
        part: &Part,
        portion: &Portion,
        ledger: &Ledger,
    ) -> Result<Filled, Error> {
        self.forbid_other_tables().await?;
        let held: HashSet<usize> = ledger.held.iter().map(|(index, _)| *index).collect();
        let position = |index: &usize| portion.places[*index].0;
        let routed = |index: &usize| {
            let (event, (_, is_processed)) = (portion.batch.event(*index), portion.places[*index]);
            !is_processed && matches!(event.route, Route::Contract(_)) && !held.contains(index)
        };
        let (range, positions) = match part {
            Part::Range(after, up_to) => ((after + 1, *up_to), Vec::new()),
            Part::Held(positions) => ((0, -1), positions.clone()),
        };
        let sql = "with unheld as (delete from rebuild_held where position = any($1) and position <> all($2)),
             held as (insert into rebuild_held select unnest($2::int8[]) on conflict do nothing),
             routed as (insert into rebuild_routed select * from unnest($3::int8[], $4::text[]) on conflict do nothing),
             refused as (
                 insert into rebuild_refused select * from unnest($5::int8[], $6::text[], $7::text[]) on conflict do nothing)
             update rebuild_book set done = case when $8 > $9 then done
                 else done + int8multirange(int8range($8, $9, '[]')) end
             where id = $10";
        let routed: Vec<usize> = (0..portion.places.len()).filter(routed).collect();
        let person = |index: &usize| portion.batch.event(*index).user_id.map(|id| id.to_string());
        let refused = || portion.refused.iter();
        let booked = sqlx::query(sql)
            .bind(positions)
            .bind(held.iter().map(position).chain(portion.waiting.iter().copied()).collect::<Vec<_>>())
            .bind(routed.iter().map(position).collect::<Vec<_>>())
            .bind(routed.iter().map(person).collect::<Vec<_>>())
            .bind(refused().map(|(position, ..)| *position).collect::<Vec<_>>())
            .bind(refused().map(|(_, event_type, _)| event_type.clone()).collect::<Vec<_>>())
            .bind(refused().map(|(.., message)| message.clone()).collect::<Vec<_>>())
            .bind(range.0)
            .bind(range.1)
            .bind(generation.id)
            .execute(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("write down what was filled", error))?;
        match booked.rows_affected() {
            1 => Ok(Filled { applied: ledger.count(Outcome::Applied) as u64, held: held.len() as u64 }),
            _ => Err(Error::fault("this generation is gone: another rebuild has begun".into())),
        }
    }

    /// The domain's SQL must write only what is being built. Whoever writes a table, or would but for a conflict, has locked
    /// it so until the end of the transaction.
    async fn forbid_other_tables(&mut self) -> Result<(), Error> {
        let sql =
            "select string_agg(relname, ', ' order by relname) from pg_locks join pg_class on pg_class.oid = relation
             where pid = pg_backend_pid() and locktype = 'relation' and mode = 'RowExclusiveLock'
               and relkind in ('r', 'p') and relnamespace = 'public'::regnamespace";
        let strays: Option<String> = sqlx::query_scalar(sql)
            .fetch_one(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look which tables were written", error))?;
        match strays {
            None => Ok(()),
            Some(strays) => Err(Error::fault(format!(
                "the domain's SQL writes tables that are not rebuilt: {strays}; nothing of it was committed\n  \
                 hint: declare them under [tables] in stream.toml"
            ))),
        }
    }
}

impl Portion {
    fn take(&mut self, domain: &crate::domain::Domain, event: Stored) {
        if event.is_waiting {
            self.waiting.push(event.position);
            return;
        }
        match decode_stored(domain, &event.event_type, &event.payload) {
            // Without its contract it would silently lose the effect that it has had.
            Ok(content) if event.is_processed && !matches!(content.route, Route::Contract(_)) => {
                let why = "it has had its effect, and its type and version have no contract here any more";
                self.refused.push((event.position, event.event_type, why.to_owned()));
            }
            Ok(content) => {
                self.places.push((event.position, event.is_processed));
                self.batch.messages.push(Message {
                    subject: event.event_type,
                    payload: Bytes::new(),
                    headers: None,
                    sequence: None,
                    published_at: event.received_at,
                    content: Ok(content),
                });
            }
            // One that never had an effect has none to lose.
            Err(_) if !event.is_processed => {}
            Err(rejection) => {
                let why = format!("{}: {}", rejection.reason.code(), rejection.message);
                self.refused.push((event.position, event.event_type, why));
            }
        }
    }
}
