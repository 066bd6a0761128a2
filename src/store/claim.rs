//! Deduplication: each event id is claimed once per consumer, for all time that the row is kept.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::{Batch, Ledger};

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
        for index in seen {
            let event = batch.event(index);
            match hashes.get(&event.id.to_string()).copied().flatten() {
                Some(hash) if hash != event.content_hash => ledger.conflict(batch, index),
                _ => ledger.duplicate(index),
            }
        }
        Ok(())
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
}
