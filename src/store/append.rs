//! Appending to the event store, which is unique by event id on its own: pruning the claims reopens nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::Datelike;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Connection, Error, Unit};
use crate::batch::{Batch, Ledger};
use crate::event::Outcome;

/// Somebody holds on to the default partition: until another try, events of new months go there.
const MONTHS_RETRY_AFTER: Duration = Duration::from_secs(60);

impl Connection {
    /// Makes the partitions of the months around now ahead of time.
    ///
    /// # Errors
    /// As the database says.
    pub async fn make_current_months(&mut self) -> Result<(), Error> {
        let sql = format!(
            "select {}_ensure_months(array(select (date_trunc('month', now()) + make_interval(months => month))::date
             from generate_series(-3, 3) as month))",
            self.domain.event_log
        );
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("make partitions of the event store", error))
    }

    /// Makes sure that the months of the batch have a partition, so that events of a live month do not end up
    /// among the strays. Its own transaction, and only when a month is new to this connection.
    pub(crate) async fn ensure_months(&mut self, batch: &Batch) -> Result<(), Error> {
        let months: BTreeSet<(i32, u32)> = batch
            .messages
            .iter()
            .filter_map(|message| message.content.as_ref().ok())
            .map(|event| (event.timestamp.year(), event.timestamp.month()))
            .filter(|month| !self.known_months.contains(month))
            .collect();
        let is_too_soon = self.months_refused_at.is_some_and(|at| at.elapsed() < MONTHS_RETRY_AFTER);
        if months.is_empty() || is_too_soon {
            return Ok(());
        }
        let firsts: Vec<String> = months.iter().map(|(year, month)| format!("{year:04}-{month:02}-01")).collect();
        let sql = format!("select {}_ensure_months($1::text[]::date[])", self.domain.event_log);
        let are_there: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(firsts)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("make partitions of the event store", error))?;
        if are_there {
            self.known_months.extend(months);
        }
        self.months_refused_at = (!are_there).then(Instant::now);
        Ok(())
    }
}

impl Unit<'_> {
    /// Stores the claimed events, in the order of the stream. One that is there already (its claim had been
    /// pruned) is a duplicate, or a conflict when its content differs.
    pub(crate) async fn append(&mut self, batch: &Batch, ledger: &mut Ledger) -> Result<(), Error> {
        let mut wanted = ledger.to_store(batch);
        wanted.sort_unstable();
        if wanted.is_empty() {
            ledger.judge_repeats(batch);
            return Ok(());
        }
        // An id whose claim was pruned is in `event_ids`, also when that happened a moment ago: this statement is later
        // than the claim, so it sees what the claim did not wait for. (As a sub-select it is looked up by key, always.)
        let sql = format!(
            "insert into {} (event_id, event_type, version, user_id, \"timestamp\", payload, content_hash,
                 correlation_id, causation_id, stream_sequence, received_at, processed_at)
             select event_id, event_type, version, user_id, \"timestamp\", payload, content_hash,
                 correlation_id, causation_id, stream_sequence, received_at, case when projected then now() end
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], $7::uuid[],
                 $8::uuid[], $9::uuid[], $10::int8[], $11::timestamptz[], $12::bool[])
                 as events (event_id, event_type, version, user_id, \"timestamp\", payload, content_hash,
                 correlation_id, causation_id, stream_sequence, received_at, projected)
             where (select true from event_ids as known where known.event_id = events.event_id) is null
             on conflict (event_id, \"timestamp\") do nothing
             returning event_id",
            self.domain.event_log
        );
        let documents = self.documents(batch, &wanted).await?;
        let events = || wanted.iter().map(|index| batch.event(*index));
        let messages = || wanted.iter().map(|index| &batch.messages[*index]);
        let sequence = |sequence: Option<u64>| sequence.and_then(|sequence| i64::try_from(sequence).ok());
        let stored: HashSet<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(events().map(|event| event.id).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_type.clone()).collect::<Vec<_>>())
            .bind(events().map(|event| event.version.clone()).collect::<Vec<_>>())
            .bind(events().map(|event| event.user_id.map(|id| id.to_string())).collect::<Vec<_>>())
            .bind(events().map(|event| event.timestamp).collect::<Vec<_>>())
            .bind(documents)
            .bind(events().map(|event| event.content_hash).collect::<Vec<_>>())
            .bind(events().map(|event| event.correlation_id).collect::<Vec<_>>())
            .bind(events().map(|event| event.causation_id).collect::<Vec<_>>())
            .bind(messages().map(|message| sequence(message.sequence)).collect::<Vec<_>>())
            .bind(messages().map(|message| message.published_at).collect::<Vec<_>>())
            .bind(wanted.iter().map(|index| ledger.outcomes[*index] == Outcome::Applied).collect::<Vec<_>>())
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("append to the event store", error))?
            .into_iter()
            .collect();
        let known: Vec<usize> = wanted.into_iter().filter(|index| !stored.contains(&batch.event(*index).id)).collect();
        self.judge_known(batch, ledger, &known).await?;
        ledger.judge_repeats(batch);
        Ok(())
    }

    /// Events that are stored, or were and are archived, without a claim until now: their claim is again that of the
    /// first one.
    async fn judge_known(&mut self, batch: &Batch, ledger: &mut Ledger, known: &[usize]) -> Result<(), Error> {
        if known.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "with first as (
                 select event_id, coalesce(ids.content_hash, log.content_hash) as content_hash
                 from unnest($1::uuid[], $2::timestamptz[]) as events (event_id, \"timestamp\")
                 left join event_ids as ids using (event_id) left join {} as log using (event_id, \"timestamp\")),
             claimed as (
                 update event_deduplication as claim set content_hash = first.content_hash from first
                 where claim.event_id = first.event_id::text and claim.consumer_id = $3
                   and claim.content_hash is distinct from first.content_hash)
             select event_id, content_hash from first where content_hash is not null",
            self.domain.event_log
        );
        let hashes: HashMap<Uuid, Uuid> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(known.iter().map(|index| batch.event(*index).id).collect::<Vec<_>>())
            .bind(known.iter().map(|index| batch.event(*index).timestamp).collect::<Vec<_>>())
            .bind(&self.domain.consumer.durable)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look up events that were stored", error))?
            .into_iter()
            .collect();
        let (same, suspect): (Vec<usize>, Vec<usize>) = ledger.with_repeats(known).into_iter().partition(|index| {
            let event = batch.event(*index);
            hashes.get(&event.id) == Some(&event.content_hash)
        });
        for index in same {
            ledger.duplicate(index);
        }
        self.judge_suspects(batch, ledger, &suspect).await
    }
}
