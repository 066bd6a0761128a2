//! What an import asks before it publishes: who imports already, what is there, what was taken before.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::hold::exists;
use super::{ANSWER_SECONDS_MAX, Connection, Error, within};
use crate::decode::decode_stored;
use crate::event::Reference;

/// Keys that are asked for at once.
const KEYS_PER_QUERY: usize = 5000;
/// The advisory lock that an import holds: "import" in bytes.
const IMPORTING: i64 = 0x696d_706f_7274;

/// An event that is to be published, as far as it can be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its id.
    pub(crate) id: Uuid,
    /// When it happened.
    pub(crate) timestamp: DateTime<Utc>,
    /// What it says.
    pub(crate) content_hash: Uuid,
}

/// An earlier import of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum First {
    /// Then.
    At(DateTime<Utc>),
    /// It was told, and nothing says any more when: its month was dropped, and the audit log is not that of then.
    Forgotten,
}

/// What is known of events that were taken before.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Taken, and they said the same.
    pub(crate) same: HashSet<Uuid>,
    /// Taken, and they said something else.
    pub(crate) different: HashSet<Uuid>,
}

impl Connection {
    /// Becomes the only one who imports, for as long as the connection lives. False: another process is.
    pub(crate) async fn may_import(&mut self) -> Result<bool, Error> {
        let locking = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(IMPORTING).fetch_one(&mut self.pg);
        let attempted = "asking whether another import is running";
        within(ANSWER_SECONDS_MAX, attempted, async {
            locking.await.map_err(|error| Error::classify(attempted, error))
        })
        .await
    }

    /// What is known of earlier imports of files, given the id of the event about each: that event says the same each time.
    pub(crate) async fn first_imports(&mut self, files: &HashMap<Uuid, Uuid>) -> Result<HashMap<Uuid, First>, Error> {
        let events: Vec<Uuid> = files.values().copied().collect();
        let stored: HashMap<Uuid, DateTime<Utc>> = self.stored_at(&events).await?.into_iter().collect();
        let candidate = |id: &Uuid| Candidate { id: *id, timestamp: DateTime::UNIX_EPOCH, content_hash: Uuid::nil() };
        let candidates: Vec<Candidate> = events.iter().map(candidate).collect();
        let taken: HashSet<Uuid> = self.hashes(&candidates).await?.into_iter().map(|(id, _)| id).collect();
        let written = self.written_at(files.keys().copied()).await?;
        let first = |(file, event): (&Uuid, &Uuid)| {
            let at = stored.get(event).or_else(|| written.get(file)).copied().map(First::At);
            Some((*file, at.or_else(|| taken.contains(event).then_some(First::Forgotten))?))
        };
        Ok(files.iter().filter_map(first).collect())
    }

    async fn stored_at(&mut self, events: &[Uuid]) -> Result<Vec<(Uuid, DateTime<Utc>)>, Error> {
        let sql = format!("select event_id, \"timestamp\" from {} where event_id = any($1)", self.domain.event_log);
        sqlx::query_as(AssertSqlSafe(sql))
            .bind(events)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look up events about files", error))
    }

    /// What the audit log says of these files: before the event is stored, nothing else does. Others write there, too, and
    /// may have anything under our names.
    async fn written_at(&mut self, files: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, DateTime<Utc>>, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select batch.key, batch.value
             from audit_logs
             cross join lateral jsonb_each_text(
                 case when jsonb_typeof(metadata->'batches') = 'object' then metadata->'batches' end) as batch (key, value)
             where action = 'import' and batch.key = any($1) and batch.value is not null",
        )
        .bind(files.map(|file| file.to_string()).collect::<Vec<_>>())
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("look up earlier imports", error))?;
        let mut first: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
        for (file, at) in rows {
            if let (Ok(file), Ok(at)) = (file.parse(), at.parse()) {
                let known = first.entry(file).or_insert(at);
                *known = at.min(*known);
            }
        }
        Ok(first)
    }

    /// Which of these rows are not there.
    pub(crate) async fn missing_references(&mut self, wanted: &[Reference]) -> Result<HashSet<Reference>, Error> {
        let mut missing = HashSet::new();
        for (entity, declared) in self.domain.entities.iter().enumerate() {
            let keys: Vec<Uuid> = wanted.iter().filter(|one| one.entity == entity).map(|one| one.key).collect();
            let exists = exists(&self.domain, entity, "wanted.key");
            let sql = format!("select key from unnest($1::uuid[]) as wanted (key) where not {exists}");
            for some in keys.chunks(KEYS_PER_QUERY) {
                let rows: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
                    .bind(some)
                    .fetch_all(&mut self.pg)
                    .await
                    .map_err(|error| Error::classify(&format!("look up rows of {}", declared.table), error))?;
                missing.extend(rows.into_iter().map(|key| Reference { entity, key }));
            }
        }
        Ok(missing)
    }

    /// Which of these events were taken before. What died before may be published again.
    pub(crate) async fn taken(&mut self, candidates: &[Candidate]) -> Result<Known, Error> {
        let mut known = Known::default();
        for some in candidates.chunks(KEYS_PER_QUERY) {
            let hashes: HashMap<Uuid, Option<Uuid>> = self.hashes(some).await?.into_iter().collect();
            let mut suspects = Vec::new();
            for candidate in some {
                match hashes.get(&candidate.id) {
                    None => {}
                    Some(hash) if hash.is_none_or(|hash| hash == candidate.content_hash) => {
                        known.same.insert(candidate.id);
                    }
                    Some(_) => suspects.push(*candidate),
                }
            }
            self.judge(&suspects, &mut known).await?;
        }
        Ok(known)
    }

    async fn hashes(&mut self, candidates: &[Candidate]) -> Result<Vec<(Uuid, Option<Uuid>)>, Error> {
        let ids: Vec<Uuid> = candidates.iter().map(|candidate| candidate.id).collect();
        sqlx::query_as(
            "select event_id::uuid, content_hash from event_deduplication
             where consumer_id = $3 and success and event_id = any($2)
             union all
             select event_id, content_hash from event_ids where event_id = any($1)",
        )
        .bind(&ids)
        .bind(ids.iter().map(Uuid::to_string).collect::<Vec<_>>())
        .bind(&self.domain.consumer.durable)
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("look up events that were taken", error))
    }

    /// A hash depends on the contract of its time: the stored document, read with today's, has the last word.
    async fn judge(&mut self, suspects: &[Candidate], known: &mut Known) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "select log.event_id, log.event_type, log.payload::text
             from unnest($1::uuid[], $2::timestamptz[]) as events (event_id, \"timestamp\")
             join {} as log using (event_id, \"timestamp\")",
            self.domain.event_log
        );
        let mut rows: Vec<(Uuid, String, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(suspects.iter().map(|candidate| candidate.id).collect::<Vec<_>>())
            .bind(suspects.iter().map(|candidate| candidate.timestamp).collect::<Vec<_>>())
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read stored events", error))?;
        let lost = self.decrypt(rows.iter_mut().map(|(_, _, text)| text).collect()).await?;
        let forgotten: HashSet<Uuid> = lost.iter().filter_map(|index| rows.get(*index)).map(|(id, ..)| *id).collect();
        let hash = |(id, kind, text): (Uuid, String, String)| {
            Some((id, decode_stored(&self.domain, &kind, &text).ok()?.content_hash))
        };
        let stored: HashMap<Uuid, Uuid> = rows.into_iter().filter_map(hash).collect();
        for suspect in suspects {
            let is_same = stored.get(&suspect.id) == Some(&suspect.content_hash) || forgotten.contains(&suspect.id);
            match is_same {
                true => known.same.insert(suspect.id),
                false => known.different.insert(suspect.id),
            };
        }
        Ok(())
    }
}
