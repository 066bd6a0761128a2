//! Dead letters: what cannot be applied is kept with its raw bytes, and counted once per message.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::{Batch, Ledger, Message};
use crate::derived_id::from_digest;
use crate::event::Rejection;

/// Equal content on the same subject is one dead letter.
#[must_use]
pub(super) fn fingerprint(subject: &str, payload: &[u8]) -> Uuid {
    from_digest(Sha256::new().chain_update(subject).chain_update(b"\n").chain_update(payload).finalize().as_slice())
}

/// The row is only locked when it is there already: whether it counts is known once the batch is recorded.
/// An event that can be named is also a failed claim, which a healthy event with the same id takes over.
const BURY: &str = "
    with letters as (
        select * from unnest($3::uuid[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[],
                             $10::uuid[], $11::text[], $12::bool[])
            as letters (fingerprint, subject, payload, headers, reason, field, message, event_id, event_type, is_replayed)),
    named as (
        insert into event_deduplication (id, event_id, event_type, consumer_id, processed_at, success, error_message)
        select distinct on (event_id) gen_random_uuid(), event_id::text, coalesce(event_type, 'unknown'), $2, now(),
            false, reason || ': ' || message
        from letters where event_id is not null order by event_id
        on conflict (event_id, consumer_id) do nothing)
    insert into dead_letters as known
        (fingerprint, stream, subject, payload, headers, reason, field, message, event_id, event_type, is_replayed)
    select fingerprint, $1, subject, payload, headers::json, reason, field, message, event_id, event_type, is_replayed
    from letters order by fingerprint
    on conflict (fingerprint) do update set is_replayed = known.is_replayed or excluded.is_replayed";

const COUNT: &str = "
    update dead_letters as letter
    set count = case when letter.resolution = 'redriven' then 0 else letter.count end + found.count,
        first_seq = least(letter.first_seq, found.first_seq), last_seq = greatest(letter.last_seq, found.last_seq),
        first_seen = least(letter.first_seen, now()), last_seen = now(),
        resolution = case when letter.note = 'erased' then letter.resolution end,
        resolved_at = case when letter.note = 'erased' then letter.resolved_at end, reason = found.reason, field = found.field, message = found.message
    from (select fingerprint, count(*) as count, min(sequence) as first_seq, max(sequence) as last_seq,
              min(reason) as reason, min(field) as field, min(message) as message
          from unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[])
              as found (fingerprint, sequence, reason, field, message)
          group by fingerprint) as found
    where letter.fingerprint = found.fingerprint";

/// Text columns take no NUL; subjects and headers are the only texts that no gate has looked at.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Unit<'_> {
    /// Keeps the dead letters of the batch, and locks them against another worker that meets the same ones.
    pub(crate) async fn bury(&mut self, batch: &Batch, ledger: &Ledger) -> Result<(), Error> {
        let mut letters: BTreeMap<Uuid, (&Message, &Rejection)> = BTreeMap::new();
        for (index, rejection) in &ledger.rejections {
            let message = &batch.messages[*index];
            letters.entry(fingerprint(&message.subject, &message.payload)).or_insert((message, rejection));
        }
        if letters.is_empty() {
            return Ok(());
        }
        let messages = || letters.values().map(|(message, _)| *message);
        let rejections = || letters.values().map(|(_, rejection)| *rejection);
        let plain: Vec<(Uuid, &[u8])> =
            letters.iter().map(|(fingerprint, (message, _))| (*fingerprint, &message.payload[..])).collect();
        let payloads = self.encrypt_letters(&plain).await?;
        let headers = |message: &Message| message.headers.as_deref().map(|text| text.replace("\\u0000", "\\ufffd"));
        sqlx::query(BURY)
            .bind(&self.domain.stream.name)
            .bind(&self.domain.consumer.durable)
            .bind(letters.keys().copied().collect::<Vec<_>>())
            .bind(messages().map(|message| clean(&message.subject)).collect::<Vec<_>>())
            .bind(payloads)
            .bind(messages().map(headers).collect::<Vec<_>>())
            .bind(rejections().map(|rejection| rejection.reason.code()).collect::<Vec<_>>())
            .bind(rejections().map(|rejection| rejection.field.clone()).collect::<Vec<_>>())
            .bind(rejections().map(|rejection| clean(&rejection.message)).collect::<Vec<_>>())
            .bind(rejections().map(|rejection| rejection.event_id).collect::<Vec<_>>())
            .bind(rejections().map(|rejection| rejection.event_type.clone()).collect::<Vec<_>>())
            .bind(messages().map(|message| message.sequence.is_none()).collect::<Vec<_>>())
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("keep dead letters", error))
    }

    /// Counts the dead letters whose sequence had not been handled before.
    pub(crate) async fn count_dead_letters(
        &mut self,
        batch: &Batch,
        ledger: &Ledger,
        fresh: &[i64],
    ) -> Result<(), Error> {
        let fresh: HashSet<i64> = fresh.iter().copied().collect();
        let found: Vec<(&Message, &Rejection)> = ledger
            .rejections
            .iter()
            .map(|(index, rejection)| (&batch.messages[*index], rejection))
            .filter(|(message, _)| sequence(message).is_some_and(|sequence| fresh.contains(&sequence)))
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        sqlx::query(COUNT)
            .bind(found.iter().map(|(message, _)| fingerprint(&message.subject, &message.payload)).collect::<Vec<_>>())
            .bind(found.iter().map(|(message, _)| sequence(message)).collect::<Vec<_>>())
            .bind(found.iter().map(|(_, rejection)| rejection.reason.code()).collect::<Vec<_>>())
            .bind(found.iter().map(|(_, rejection)| rejection.field.clone()).collect::<Vec<_>>())
            .bind(found.iter().map(|(_, rejection)| clean(&rejection.message)).collect::<Vec<_>>())
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("count dead letters", error))
    }
}

pub(super) fn sequence(message: &Message) -> Option<i64> {
    message.sequence.and_then(|sequence| i64::try_from(sequence).ok())
}
