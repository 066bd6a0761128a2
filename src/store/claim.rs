//! Deduplication: each event id is claimed once per consumer, for all time that the row is kept.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::{Batch, Ledger};
use crate::decode::decode_stored;

/// A row that a dead letter left behind (success = false) does not block a healthy event with the same id.
/// `do update … where` locks the row that is in the way, so that a worker which meets an id that another has
/// claimed waits for that one's end.
const CLAIM: &str = "
    insert into event_deduplication as known
        (id, event_id, event_type, consumer_id, content_hash, processed_at, success)
    select id, event_id, event_type, $5, content_hash, now(), true
    from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) as events (id, event_id, event_type, content_hash)
    on conflict (event_id, consumer_id) do update
        set success = true, error_message = null, event_type = excluded.event_type,
            content_hash = excluded.content_hash, processed_at = excluded.processed_at
        where not known.success
    returning known.event_id";

const SEEN: &str = "
    select event_id, content_hash from event_deduplication where consumer_id = $2 and event_id = any($1::text[])";

impl Unit<'_> {
    /// Claims the ids of the batch. What is not new is a duplicate, or a conflict when its content differs.
    pub(crate) async fn claim(&mut self, batch: &Batch, ledger: &mut Ledger) -> Result<(), Error> {
        let wanted = ledger.to_store(batch);
        if wanted.is_empty() {
            return Ok(());
        }
        let consumer = self.domain.consumer.durable.clone();
        let events = || wanted.iter().map(|index| batch.event(*index));
        let claimed: HashSet<String> = sqlx::query_scalar(CLAIM)
            .bind(events().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
            .bind(events().map(|event| event.id.to_string()).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_type.clone()).collect::<Vec<_>>())
            .bind(events().map(|event| event.content_hash).collect::<Vec<_>>())
            .bind(&consumer)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("claim event ids", error))?
            .into_iter()
            .collect();
        let seen: Vec<usize> =
            wanted.into_iter().filter(|index| !claimed.contains(&batch.event(*index).id.to_string())).collect();
        if seen.is_empty() {
            return Ok(());
        }
        let hashes = self.seen_hashes(batch, &seen, &consumer).await?;
        let seen = ledger.with_repeats(&seen);
        let (same, suspect): (Vec<usize>, Vec<usize>) = seen.into_iter().partition(|index| {
            let event = batch.event(*index);
            hashes.get(&event.id.to_string()).copied().flatten().is_none_or(|hash| hash == event.content_hash)
        });
        for index in same {
            ledger.duplicate(index);
        }
        self.judge_suspects(batch, ledger, &suspect).await
    }

    /// A later statement than the claim: its snapshot sees what another worker committed meanwhile.
    async fn seen_hashes(
        &mut self,
        batch: &Batch,
        seen: &[usize],
        consumer: &str,
    ) -> Result<HashMap<String, Option<Uuid>>, Error> {
        let ids: Vec<String> = seen.iter().map(|index| batch.event(*index).id.to_string()).collect();
        let rows: Vec<(String, Option<Uuid>)> = sqlx::query_as(SEEN)
            .bind(ids)
            .bind(consumer)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look up claimed event ids", error))?;
        Ok(rows.into_iter().collect())
    }

    /// Events whose hash is not that of the stored event with their id. The hash depends on the contract in force
    /// when it was computed: the stored document, read with today's contract, has the last word.
    pub(super) async fn judge_suspects(
        &mut self,
        batch: &Batch,
        ledger: &mut Ledger,
        suspects: &[usize],
    ) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "select log.event_id, log.event_type, log.payload::text
             from (select distinct * from unnest($1::uuid[], $2::timestamptz[])) as events (event_id, \"timestamp\")
             join {} as log using (event_id, \"timestamp\")",
            self.domain.event_log
        );
        let mut rows: Vec<(Uuid, String, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(suspects.iter().map(|index| batch.event(*index).id).collect::<Vec<_>>())
            .bind(suspects.iter().map(|index| batch.event(*index).timestamp).collect::<Vec<_>>())
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("read stored events", error))?;
        let lost = self.decrypt(rows.iter_mut().map(|(_, _, text)| text).collect()).await?;
        let forgotten: HashSet<Uuid> = lost.iter().filter_map(|index| rows.get(*index)).map(|(id, ..)| *id).collect();
        let stored: HashMap<Uuid, Uuid> = rows
            .into_iter()
            .filter_map(|(id, kind, text)| Some((id, decode_stored(&self.domain, &kind, &text).ok()?.content_hash)))
            .collect();
        for index in suspects {
            let event = batch.event(*index);
            match stored.get(&event.id) {
                Some(hash) if *hash == event.content_hash => ledger.duplicate(*index),
                // What it said of somebody who was erased cannot be compared any more.
                Some(_) if forgotten.contains(&event.id) => ledger.duplicate(*index),
                _ => ledger.conflict(batch, *index),
            }
        }
        Ok(())
    }
}
