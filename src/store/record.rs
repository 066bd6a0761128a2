//! The accounting: which stream sequences were handled, and how each ended.
//!
//! A sequence counts once, however often it is delivered. Rows are merged from time to time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::bury::sequence;
use super::{Connection, Error, Unit};
use crate::batch::{Batch, Ledger};
use crate::event::Outcome;

/// When the stream was created: the same name and sequence in another incarnation is another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation(pub DateTime<Utc>);

/// Advisory lock of the one that merges rows.
const MERGE_LOCK: i64 = 0x6d69_6c65_0001;

const RECORD: &str = "
    with messages as (
        select sequence, outcome from unnest($3::int8[], $4::text[]) as messages (sequence, outcome)),
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
        from fresh having count(*) > 0)
    select outcome, count(*), coalesce(array_agg(sequence) filter (where outcome = 'dead_letter'), '{}')
    from fresh group by outcome";

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
        incarnation: Incarnation,
    ) -> Result<(), Error> {
        let (sequences, outcomes): (Vec<i64>, Vec<&str>) = batch
            .messages
            .iter()
            .zip(&ledger.outcomes)
            .filter_map(|(message, outcome)| Some((sequence(message)?, outcome.label())))
            .unzip();
        let (Some(first), Some(last)) = (sequences.iter().min().copied(), sequences.iter().max().copied()) else {
            return Ok(());
        };
        let rows: Vec<(String, i64, Vec<i64>)> = sqlx::query_as(RECORD)
            .bind(&self.domain.stream.name)
            .bind(incarnation.0)
            .bind(sequences)
            .bind(outcomes)
            .bind(first)
            .bind(last)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("record what was handled", error))?;
        let outcome = |label: &str| Outcome::ALL.into_iter().find(|outcome| outcome.label() == label);
        let count = |(label, count, _): &(String, i64, Vec<i64>)| Some((outcome(label)?, u64::try_from(*count).ok()?));
        ledger.recorded = rows.iter().filter_map(count).collect::<HashMap<_, _>>();
        let dead: Vec<i64> = rows.into_iter().flat_map(|(_, _, dead)| dead).collect();
        self.count_dead_letters(batch, ledger, &dead).await
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
        sqlx::query(MERGE)
            .bind(&self.domain.stream.name)
            .bind(MERGE_LOCK)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("merge what was handled", error))
    }
}
