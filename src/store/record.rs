//! The accounting: which stream sequences were handled, and how each ended.
//!
//! A sequence counts once, however often it is delivered. Rows are merged from time to time. Which event a message
//! carried is known from the event store, or, for a duplicate, from a row of its own.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::bury::{fingerprint, sequence};
use super::{ANSWER_SECONDS_MAX, Connection, Error, Unit, within};
use crate::batch::{Batch, Ledger, Message};
use crate::event::Outcome;

/// When the stream was created: the same name and sequence in another incarnation is another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation(pub DateTime<Utc>);

/// Advisory lock of the one that merges rows.
const MERGE_LOCK: i64 = 0x6d69_6c65_0001;

const RECORD: &str = "
    with messages as (
        select * from unnest($3::int8[], $4::text[], $7::uuid[], $8::timestamptz[])
            as messages (sequence, outcome, duplicate_of, published_at)),
    handled as (
        select coalesce(range_agg(sequences), '{}'::int8multirange) as sequences from handled_sequences
        where stream = $1 and incarnation = $2 and sequences && int8range($5, $6, '[]')),
    fresh as (
        select messages.* from messages, handled where not handled.sequences @> messages.sequence),
    recorded as (
        insert into handled_sequences
            (stream, incarnation, sequences, applied, duplicates, waiting, unrouted, dead_letters, own)
        select $1, $2, range_agg(int8range(sequence, sequence, '[]')),
            count(*) filter (where outcome = 'applied'), count(*) filter (where outcome = 'duplicate'),
            count(*) filter (where outcome = 'waiting'), count(*) filter (where outcome = 'unrouted'),
            count(*) filter (where outcome = 'dead_letter'), count(*) filter (where outcome = 'own')
        from fresh having count(*) > 0),
    repeated as (
        insert into duplicate_messages (event_id, incarnation, sequence, published_at)
        select duplicate_of, $2, sequence, published_at from fresh where duplicate_of is not null
        order by duplicate_of, sequence
        on conflict do nothing)
    select outcome, true, count(*), coalesce(array_agg(sequence) filter (where outcome = 'dead_letter'), '{}')
    from fresh group by outcome
    union all
    select outcome, false, count(*), array_agg(sequence)
    from messages, handled
    where handled.sequences @> messages.sequence and outcome in ('applied', 'waiting', 'unrouted', 'own')
    group by outcome";

const MERGE: &str = "
    with old as (
        delete from handled_sequences
        where stream = $1 and id in (
            select id from handled_sequences where stream = $1 and pg_try_advisory_xact_lock($2))
        returning *)
    insert into handled_sequences
        (stream, incarnation, sequences, applied, duplicates, waiting, unrouted, dead_letters, own)
    select stream, incarnation, range_agg(sequences), sum(applied), sum(duplicates), sum(waiting), sum(unrouted),
        sum(dead_letters), sum(own)
    from old group by stream, incarnation";

impl Unit<'_> {
    /// Records the batch's sequences. Its snapshot is later than the claims', so that of two workers that were
    /// given the same message the second finds it handled.
    pub(crate) async fn record(
        &mut self,
        batch: &Batch,
        ledger: &mut Ledger,
        incarnation: Option<Incarnation>,
    ) -> Result<(), Error> {
        // What comes from elsewhere has no sequence: the books are about the stream.
        let Some(incarnation) = incarnation else {
            return Ok(());
        };
        let handled: Vec<(i64, Outcome, &Message)> = batch
            .messages
            .iter()
            .zip(&ledger.outcomes)
            .filter_map(|(message, outcome)| Some((sequence(message)?, *outcome, message)))
            .collect();
        let sequences: Vec<i64> = handled.iter().map(|(sequence, ..)| *sequence).collect();
        let (Some(first), Some(last)) = (sequences.iter().min().copied(), sequences.iter().max().copied()) else {
            return Ok(());
        };
        let duplicate_of = |outcome: Outcome, message: &Message| {
            message.content.as_ref().ok().filter(|_| outcome == Outcome::Duplicate).map(|event| event.id)
        };
        let rows: Vec<(String, bool, i64, Vec<i64>)> = sqlx::query_as(RECORD)
            .bind(&self.domain.stream.name)
            .bind(incarnation.0)
            .bind(sequences)
            .bind(handled.iter().map(|(_, outcome, _)| outcome.label()).collect::<Vec<_>>())
            .bind(first)
            .bind(last)
            .bind(handled.iter().map(|(_, outcome, message)| duplicate_of(*outcome, message)).collect::<Vec<_>>())
            .bind(handled.iter().map(|(.., message)| message.published_at).collect::<Vec<_>>())
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("record what was handled", error))?;
        let outcome = |label: &str| Outcome::ALL.into_iter().find(|outcome| outcome.label() == label);
        let mut dead = Vec::new();
        for (label, is_fresh, count, sequences) in rows {
            let Some(outcome) = outcome(&label) else {
                continue;
            };
            if is_fresh {
                ledger.recorded.insert(outcome, u64::try_from(count).unwrap_or_default());
                dead.extend(sequences);
            } else if !ledger.is_remembered {
                self.revive(batch, outcome, &sequences).await?;
            }
        }
        self.count_dead_letters(batch, ledger, &dead).await
    }

    /// Messages that are delivered again and have their effect only now: they were dead letters, their answer was
    /// lost, and what was wrong was mended meanwhile. The letter is resolved, the books follow.
    async fn revive(&mut self, batch: &Batch, outcome: Outcome, sequences: &[i64]) -> Result<(), Error> {
        let is_meant = |message: &&Message| sequence(message).is_some_and(|sequence| sequences.contains(&sequence));
        let revived = || batch.messages.iter().filter(is_meant);
        let fingerprints: Vec<Uuid> =
            revived().map(|message| fingerprint(&message.subject, &message.payload)).collect();
        // The letter of an event that died when it was released has the bytes of the store: it is known by its event, and by
        // its first sequence, which is the only one.
        let event = |message: &Message| message.content.as_ref().ok().map(|event| event.id);
        let resolved: i64 = sqlx::query_scalar(
            "with messages as (
                 select coalesce(
                     (select letter.fingerprint from dead_letters as letter where letter.fingerprint = m.fingerprint
                          and letter.resolution is distinct from 'redriven'),
                     (select min(letter.fingerprint::text)::uuid from dead_letters as letter
                      where letter.event_id = m.event_id and letter.first_seq = m.sequence),
                     m.fingerprint) as fingerprint
                 from unnest($1::uuid[], $2::uuid[], $3::int8[]) as m (fingerprint, event_id, sequence)),
             revived as (select fingerprint, count(*) as count from messages group by 1),
             resolved as (
                 update dead_letters as letter
                 set count = greatest(letter.count - revived.count, 1),
                     resolution = case when letter.count <= revived.count then 'redriven' else letter.resolution end,
                     resolved_at = case when letter.count <= revived.count then now() else letter.resolved_at end
                 from revived
                 where letter.fingerprint = revived.fingerprint and letter.resolution is distinct from 'redriven'
                 returning revived.count)
             select coalesce(sum(count), 0)::int8 from resolved",
        )
        .bind(&fingerprints)
        .bind(revived().map(event).collect::<Vec<_>>())
        .bind(revived().map(sequence).collect::<Vec<_>>())
        .fetch_one(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("resolve dead letters", error))?;
        let all = i64::try_from(fingerprints.len()).unwrap_or(i64::MAX);
        // Without a letter the message had been a duplicate, of an event that was withdrawn since.
        let changes = [(outcome, all), (Outcome::DeadLetter, -resolved), (Outcome::Duplicate, resolved - all)];
        self.rebook(&changes).await
    }

    /// Books messages over from one outcome to another: what waited was applied, what was dead was redriven.
    pub(crate) async fn rebook(&mut self, changes: &[(Outcome, i64)]) -> Result<(), Error> {
        let sum = |wanted: Outcome| -> i64 {
            changes.iter().filter(|(outcome, _)| *outcome == wanted).map(|(_, count)| count).sum()
        };
        sqlx::query(
            "insert into handled_sequences
                 (stream, incarnation, sequences, applied, duplicates, waiting, unrouted, dead_letters, own)
             select $1, null, '{}', $2, $3, $4, $5, $6, $7",
        )
        .bind(&self.domain.stream.name)
        .bind(sum(Outcome::Applied))
        .bind(sum(Outcome::Duplicate))
        .bind(sum(Outcome::Waiting))
        .bind(sum(Outcome::Unrouted))
        .bind(sum(Outcome::DeadLetter))
        .bind(sum(Outcome::Own))
        .execute(&mut *self.pg)
        .await
        .map(|_| ())
        .map_err(|error| Error::classify("book over what was handled", error))
    }
}

impl Connection {
    /// Merges the rows of many batches into one. One worker of all does it at a time; the others go on.
    pub(crate) async fn merge_handled(&mut self) -> Result<(), Error> {
        let merging = async {
            sqlx::query(MERGE)
                .bind(&self.domain.stream.name)
                .bind(MERGE_LOCK)
                .execute(&mut self.pg)
                .await
                .map(|_| ())
                .map_err(|error| Error::classify("merge what was handled", error))
        };
        within(ANSWER_SECONDS_MAX, "merging what was handled", merging).await
    }
}
