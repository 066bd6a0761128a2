//! What the audit asks of the books: which sequences nobody handled, and how far they go.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::audit_logs::{Change, Operator};
use super::bury::{fingerprint, sequence};
use super::{ANSWER_SECONDS_MAX, Connection, Error, Incarnation, execute, within};
use crate::batch::{Batch, Message};
use crate::event::{Outcome, Route};

/// Ranges named; beyond, they are only counted.
const RANGES_MAX: i64 = 10_000;
/// Of the newest stored events so many are looked at, at most, for one that came from the stream: mostly it is the first,
/// but a replay from elsewhere may have brought many since.
const NEWEST_MAX: i64 = 100_000;
/// Advisory lock of the one that fills, held by its session.
const AUDIT_LOCK: i64 = 0x6d69_6c65_0036;

const UNHANDLED: &str = "
    with booked as (
        select coalesce(range_agg(sequences), '{}') as sequences from (
            select sequences from handled_sequences where stream = $1 and incarnation = $2
            union all
            select sequences from written_off_sequences where stream = $1 and incarnation = $2) as rows),
    parts as (
        select unnest(int8multirange(int8range($3, $4, '[]')) - sequences) as part from booked)
    select lower(part), upper(part) - 1, (sum(upper(part) - lower(part)) over ())::int8 from parts order by 1 limit $5";

/// How a message was booked at first; what became of it later was booked over, and these rows have no sequences and are
/// there still. A letter that spans the sequence has counted it, if it was met after the stream took the message: an older one
/// is of the stream before this one (clocks may differ by a minute). One that begins with it and has other bytes holds an event
/// that died when it was released. Of an event that this very message brought: projected in the same transaction, or waiting
/// since then; what was projected later and had not waited, or waits since later, came before its contract.
const RECOGNISE: &str = "
    select exists (select from dead_letters as letter
                   where letter.fingerprint = messages.fingerprint and sequence between first_seq and last_seq
                     and letter.last_seen > messages.received_at - interval '1 minute'),
        case when exists (select from dead_letters as letter
                          where letter.event_id = messages.event_id and letter.first_seq = sequence
                            and letter.fingerprint <> messages.fingerprint
                            and letter.last_seen > messages.received_at - interval '1 minute')
             then 'waiting'
             else (select case when log.processed_at = log.created_at then 'applied'
                               when exists (select from waiting_events as waits where waits.event_id = log.event_id
                                              and waits.waiting_since = log.created_at)
                                 or exists (select from released_waits as waits where waits.event_id = log.event_id
                                              and waits.waiting_since = log.created_at) then 'waiting'
                               else 'unrouted' end
                   from {log} as log
                   where log.event_id = messages.event_id and log.stream_sequence = sequence
                     and log.received_at = messages.received_at) end
    from unnest($1::int8[], $2::uuid[], $3::uuid[], $4::timestamptz[]) with ordinality
        as messages (sequence, fingerprint, event_id, received_at, number)
    order by number";

impl Connection {
    /// Messages that were handled according to the tables, with how they were booked at first; nothing for the others.
    pub(crate) async fn recognise(&mut self, batch: &Batch) -> Result<Vec<Option<Outcome>>, Error> {
        let messages = || batch.messages.iter();
        // Stored before there was a contract, it may not fit the one that there is now.
        let id = |message: &Message| match &message.content {
            Ok(event) => Some(event.id),
            Err(rejection) => rejection.event_id,
        };
        let asking = async {
            sqlx::query_as::<_, (bool, Option<String>)>(AssertSqlSafe(
                RECOGNISE.replace("{log}", &self.domain.event_log),
            ))
            .bind(messages().map(sequence).collect::<Vec<_>>())
            .bind(messages().map(|message| fingerprint(&message.subject, &message.payload)).collect::<Vec<_>>())
            .bind(messages().map(id).collect::<Vec<_>>())
            .bind(messages().map(|message| message.published_at).collect::<Vec<_>>())
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look up what was handled", error))
        };
        let found = within(ANSWER_SECONDS_MAX, "looking up what was handled", asking).await?;
        let outcome = |(message, (is_dead, label)): (&Message, (bool, Option<String>))| {
            let label = if is_dead { Outcome::DeadLetter.label().to_owned() } else { label? };
            let is_own = message.content.as_ref().is_ok_and(|event| event.route == Route::Own);
            let booked = Outcome::ALL.into_iter().find(|outcome| outcome.label() == label)?;
            Some(if is_own && booked == Outcome::Unrouted { Outcome::Own } else { booked })
        };
        Ok(messages().zip(found).map(outcome).collect())
    }

    /// Sequences of an incarnation from one to another that are not in the books: how many, and the first ranges.
    pub(crate) async fn unhandled(
        &mut self,
        incarnation: Incarnation,
        first: u64,
        last: u64,
    ) -> Result<(u64, Vec<(u64, u64)>), Error> {
        if first > last {
            return Ok((0, Vec::new()));
        }
        let asking = async {
            sqlx::query_as::<_, (i64, i64, i64)>(UNHANDLED)
                .bind(&self.domain.stream.name)
                .bind(incarnation.0)
                .bind(i64::try_from(first).unwrap_or(i64::MAX))
                .bind(i64::try_from(last).unwrap_or(i64::MAX - 1))
                .bind(RANGES_MAX)
                .fetch_all(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look for what was never handled", error))
        };
        let rows = within(ANSWER_SECONDS_MAX, "looking for what was never handled", asking).await?;
        let count = rows.first().map_or(0, |(_, _, count)| count.unsigned_abs());
        Ok((count, rows.into_iter().map(|(low, high, _)| (low.unsigned_abs(), high.unsigned_abs())).collect()))
    }

    /// The last sequence of an incarnation that was handled; 0 before the first.
    pub(crate) async fn last_handled(&mut self, incarnation: Incarnation) -> Result<u64, Error> {
        let asking = async {
            sqlx::query_scalar::<_, i64>(
                "select coalesce(max(upper(sequences)) - 1, 0) from handled_sequences
                 where stream = $1 and incarnation = $2",
            )
            .bind(&self.domain.stream.name)
            .bind(incarnation.0)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look how far the stream was handled", error))
        };
        within(ANSWER_SECONDS_MAX, "looking how far the stream was handled", asking).await.map(i64::unsigned_abs)
    }

    /// Sequence and id of an event of this incarnation that was stored lately, if there is one.
    pub(crate) async fn newest_stored(&mut self, incarnation: Incarnation) -> Result<Option<(u64, Uuid)>, Error> {
        // What was received before the stream was created had its sequence in another one.
        let sql = format!(
            "select stream_sequence, event_id from (
                 select position, stream_sequence, event_id, received_at from {} order by position desc limit $2) as newest
             where stream_sequence is not null and received_at >= $1 order by position desc limit 1",
            self.domain.event_log
        );
        let asking = async {
            sqlx::query_as::<_, (i64, Uuid)>(AssertSqlSafe(sql))
                .bind(incarnation.0)
                .bind(NEWEST_MAX)
                .fetch_optional(&mut self.pg)
                .await
                .map_err(|error| Error::classify("look for the newest stored event", error))
        };
        let found = within(ANSWER_SECONDS_MAX, "looking for the newest stored event", asking).await?;
        Ok(found.map(|(sequence, id)| (sequence.unsigned_abs(), id)))
    }

    /// Whether this session is the one that fills what is missing; it is so until it ends.
    pub(crate) async fn may_fill(&mut self) -> Result<bool, Error> {
        let asking = async {
            let answer =
                sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(AUDIT_LOCK).fetch_one(&mut self.pg).await;
            answer.map_err(|error| Error::classify("ask to be the one that audits", error))
        };
        within(ANSWER_SECONDS_MAX, "asking to be the one that audits", asking).await
    }

    /// Gives up messages that the stream holds no more: they are missed no longer. The row in the audit log stands and falls
    /// with it.
    pub(crate) async fn write_off(
        &mut self,
        incarnation: Incarnation,
        gone: &[(u64, u64)],
        (operator, change): (&Operator, &Change),
    ) -> Result<(), Error> {
        let bound = |sequence: &u64| i64::try_from(*sequence).unwrap_or(i64::MAX - 1);
        execute(&mut self.pg, "begin").await?;
        sqlx::query(
            "insert into written_off_sequences (stream, incarnation, sequences)
             select $1, $2, range_agg(int8range(low, high, '[]')) from unnest($3::int8[], $4::int8[]) as gone (low, high)
             having count(*) > 0",
        )
        .bind(&self.domain.stream.name)
        .bind(incarnation.0)
        .bind(gone.iter().map(|(low, _)| bound(low)).collect::<Vec<_>>())
        .bind(gone.iter().map(|(_, high)| bound(high)).collect::<Vec<_>>())
        .execute(&mut self.pg)
        .await
        .map_err(|error| Error::classify("write off what is lost", error))?;
        self.audit(operator, change).await?;
        execute(&mut self.pg, "commit").await
    }
}
