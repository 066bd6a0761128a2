//! Holding back events whose references do not exist yet.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::{Batch, Ledger, Telling};
use crate::domain::Domain;
use crate::event::Reference;

impl Unit<'_> {
    /// Holds back those of the given messages that refer to something missing.
    pub(crate) async fn hold_back(&mut self, batch: &Batch, ledger: &mut Ledger, of: &[usize]) -> Result<(), Error> {
        let wanted: BTreeSet<Reference> =
            of.iter().flat_map(|index| batch.event(*index).references.iter().copied()).collect();
        let missing = self.missing(&wanted).await?;
        if missing.is_empty() {
            return Ok(());
        }
        for index in of {
            let references = &batch.event(*index).references;
            let absent: Vec<Reference> =
                references.iter().filter(|reference| missing.contains(reference)).copied().collect();
            if !absent.is_empty() {
                ledger.hold(*index, absent);
            }
        }
        Ok(())
    }

    /// Which of these do not exist, in one round trip.
    async fn missing(&mut self, wanted: &BTreeSet<Reference>) -> Result<HashSet<Reference>, Error> {
        let mut keys: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
        for reference in wanted {
            keys.entry(reference.entity).or_default().push(reference.key);
        }
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let parts: Vec<String> = keys
            .keys()
            .enumerate()
            .map(|(place, entity)| {
                let exists = exists(&self.domain, *entity, "wanted.key");
                let array = place + 1;
                format!("select {entity}::int8, key from unnest(${array}::uuid[]) as wanted (key) where not {exists}")
            })
            .collect();
        let mut query = sqlx::query_as(AssertSqlSafe(parts.join(" union all ")));
        for (_, list) in keys {
            query = query.bind(list);
        }
        let rows: Vec<(i64, Uuid)> =
            query.fetch_all(&mut *self.pg).await.map_err(|error| Error::classify("look up references", error))?;
        let reference = |(entity, key)| Some(Reference { entity: usize::try_from(entity).ok()?, key });
        Ok(rows.into_iter().filter_map(reference).collect())
    }

    /// Writes down what waits, and for what.
    pub(crate) async fn wait(&mut self, batch: &Batch, ledger: &Ledger, run_id: Uuid) -> Result<(), Error> {
        if ledger.held.is_empty() {
            return Ok(());
        }
        let rows = || {
            ledger
                .held
                .iter()
                .flat_map(|(index, missing)| missing.iter().map(|reference| (batch.event(*index), reference)))
        };
        let sql = format!(
            "with held as (
                 select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[])
                     as held (event_id, \"timestamp\", entity, key)),
             unprocessed as (
                 update {log} as log set processed_at = null
                 from (select distinct event_id, \"timestamp\" from held) as held
                 where log.event_id = held.event_id and log.\"timestamp\" = held.\"timestamp\"
                 returning log.event_id, log.\"timestamp\", log.position, log.event_type)
             insert into waiting_events (position, event_id, \"timestamp\", event_type, entity, key, run_id, is_told)
             select position, event_id, \"timestamp\", event_type, entity, key, $5, $6
             from held join unprocessed using (event_id, \"timestamp\")",
            log = self.domain.event_log
        );
        let entity = |reference: &Reference| self.domain.entities[reference.entity].name.clone();
        sqlx::query(AssertSqlSafe(sql))
            .bind(rows().map(|(event, _)| event.id).collect::<Vec<_>>())
            .bind(rows().map(|(event, _)| event.timestamp).collect::<Vec<_>>())
            .bind(rows().map(|(_, reference)| entity(reference)).collect::<Vec<_>>())
            .bind(rows().map(|(_, reference)| reference.key).collect::<Vec<_>>())
            .bind(run_id)
            .bind(self.telling == Telling::Told)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("write down waiting events", error))
    }
}

/// SQL that is true when the row exists and counts.
pub(super) fn exists(domain: &Domain, entity: usize, key: &str) -> String {
    let entity = &domain.entities[entity];
    let only = entity.only.as_ref().map(|only| format!(" and ({only})")).unwrap_or_default();
    format!("exists (select 1 from {} as \"row\" where \"row\".{} = {key}{only})", entity.table, entity.column)
}
