//! Holding back events whose references do not exist yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Error, Unit};
use crate::batch::{Batch, Ledger, Renamed, Telling};
use crate::domain::{Domain, Entity};
use crate::event::Reference;

impl Unit<'_> {
    /// Holds back those of the given messages that refer to something missing.
    pub(crate) async fn hold_back(&mut self, batch: &Batch, ledger: &mut Ledger, of: &[usize]) -> Result<(), Error> {
        let wanted: BTreeSet<Reference> =
            of.iter().flat_map(|index| batch.event(*index).references.iter().copied()).collect();
        let LookedUp { missing, renamed } = self.look_up(&wanted).await?;
        if missing.is_empty() && renamed.is_empty() {
            return Ok(());
        }
        ledger.renamed.extend(names(batch, of, &renamed));
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

    /// What some events refer to by another key than its own.
    pub(crate) async fn renamed(&mut self, batch: &Batch, of: &[usize]) -> Result<Renamed, Error> {
        let wanted = of.iter().flat_map(|index| batch.event(*index).references.iter().copied()).collect();
        let found = self.look_up(&wanted).await?;
        Ok(names(batch, of, &found.renamed).collect())
    }

    /// Which of these do not exist, and which do under another key, in one round trip.
    pub(super) async fn look_up(&mut self, wanted: &BTreeSet<Reference>) -> Result<LookedUp, Error> {
        let mut keys: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
        for reference in wanted {
            keys.entry(reference.entity).or_default().push(reference.key);
        }
        if keys.is_empty() {
            return Ok(LookedUp::default());
        }
        let parts: Vec<String> = keys
            .keys()
            .enumerate()
            .map(|(place, entity)| {
                let of = &self.domain.entities[*entity];
                let exists = by_own_key(of, "wanted.key");
                let other =
                    by_alias(of, "wanted.key").map_or_else(|| "null::uuid".to_owned(), |sql| format!("({sql})"));
                let array = place + 1;
                format!(
                    "select {entity}::int8, key, {other}
                     from unnest(${array}::uuid[]) as wanted (key) where not exists ({exists})"
                )
            })
            .collect();
        let mut query = sqlx::query_as(AssertSqlSafe(parts.join(" union all ")));
        for (_, list) in keys {
            query = query.bind(list);
        }
        let rows: Vec<(i64, Uuid, Option<Uuid>)> =
            query.fetch_all(&mut *self.pg).await.map_err(|error| Error::classify("look up references", error))?;
        let mut found = LookedUp::default();
        for (entity, key, own) in rows {
            let reference = Reference { entity: usize::try_from(entity).unwrap_or_default(), key };
            if let Some(own) = own {
                found.renamed.insert(reference, own);
            } else {
                found.missing.insert(reference);
            }
        }
        Ok(found)
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

/// What came of looking references up; those that exist under the key that was asked for are in neither.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    /// No row has this key, nor another one that means it.
    pub(super) missing: HashSet<Reference>,
    /// The row has another key.
    pub(super) renamed: HashMap<Reference, Uuid>,
}

/// Which messages name something by another key than its own.
fn names<'a>(
    batch: &'a Batch,
    of: &'a [usize],
    renamed: &'a HashMap<Reference, Uuid>,
) -> impl Iterator<Item = ((usize, Uuid), Uuid)> + 'a {
    let named = |index: &'a usize| batch.event(*index).references.iter().map(move |reference| (*index, reference));
    of.iter().flat_map(named).filter_map(|(index, reference)| Some(((index, reference.key), *renamed.get(reference)?)))
}

/// SQL that is true when the row exists and counts, under this key or under another that means it.
pub(super) fn exists(domain: &Domain, entity: usize, key: &str) -> String {
    let entity = &domain.entities[entity];
    let own = by_own_key(entity, key);
    match by_alias(entity, key) {
        Some(other) => format!("(exists ({own}) or exists ({other}))"),
        None => format!("exists ({own})"),
    }
}

/// SQL for the row with this key, if it counts.
fn by_own_key(entity: &Entity, key: &str) -> String {
    let Entity { table, column, only, .. } = entity;
    let only = only.as_ref().map(|only| format!(" and ({only})")).unwrap_or_default();
    format!("select \"row\".{column} from {table} as \"row\" where \"row\".{column} = {key}{only}")
}

/// SQL for the row that is meant by another key than its own, if it counts.
fn by_alias(entity: &Entity, key: &str) -> Option<String> {
    let aliases = entity.aliases.as_ref()?;
    let known = format!("(select {} from {} where {} = {key})", aliases.column, aliases.table, aliases.alias);
    Some(by_own_key(entity, &known))
}
