//! Running the domain's SQL: projections level by level, then what is derived from what they touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Column as _, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::bind::bind;
use super::{Error, Unit, Words};
use crate::batch::{Batch, Ledger};
use crate::domain::Entity;
use crate::event::Reference;
use crate::projection::{ERASED, MERGED, When};

impl Unit<'_> {
    /// Projects the events of one contract.
    pub(crate) async fn project(
        &mut self,
        batch: &Batch,
        ledger: &mut Ledger,
        contract: usize,
        of: &[usize],
    ) -> Result<(), Error> {
        let domain = Arc::clone(&self.domain);
        let Some(projection) = &domain.projections[contract] else {
            return Ok(());
        };
        let erased_before = ledger.erased.len();
        for statement in &projection.statements {
            let query =
                bind(sqlx::query(AssertSqlSafe(statement.sql.clone())), &statement.columns, batch, of, &ledger.renamed);
            let rows = query
                .fetch_all(&mut *self.pg)
                .await
                .map_err(|error| Error::classify(&format!("project with {}", projection.path), error))?;
            for row in &rows {
                self.note(ledger, row, &projection.path)?;
            }
        }
        match ledger.erased.len() > erased_before {
            true => self.destroy_keys(ledger).await, // the next projections of the batch see it
            false => Ok(()),
        }
    }

    /// Takes a row that a statement returned: `touched, key` or `counted`.
    fn note(&self, ledger: &mut Ledger, row: &PgRow, path: &str) -> Result<(), Error> {
        if let Some(counter) = returned(row, "counted", path)? {
            *ledger.counted.entry(counter).or_default() += 1;
        }
        let Some((touched, key)) = touched(row, path)? else {
            return Ok(());
        };
        if touched == MERGED {
            let person = Uuid::try_parse(&key)
                .map_err(|error| Error::fault(format!("{path} merged {key:?}, which is no uuid: {error}")))?;
            ledger.merged.insert(person);
            return Ok(());
        }
        if touched == ERASED {
            let (subject, person) = subject_and_person(&key).ok_or_else(|| {
                Error::fault(format!("{path} erased {key:?}, which is not a subject's uuid and a person's"))
            })?;
            ledger.erased.entry(subject).or_insert(person);
            return Ok(());
        }
        match self.domain.derivations.iter().position(|derivation| derivation.name == touched) {
            Some(index) => {
                ledger.touched.entry(index).or_default().insert(key);
                Ok(())
            }
            None => Err(Error::fault(format!("{path} touched {touched:?}, which stream.toml does not derive"))),
        }
    }

    /// Locks the rows that something is derived for, in the order of their keys. People come apart, and last.
    pub(crate) async fn lock(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let domain = Arc::clone(&self.domain);
        let person = self.rules.latest().journey.person.clone();
        for (index, entity) in domain.entities.iter().enumerate().filter(|(_, entity)| entity.name != person) {
            let keys: Vec<Uuid> = self.touched(ledger, index).into_iter().collect();
            if !keys.is_empty() {
                self.lock_rows(entity, &keys, "").await?;
            }
        }
        Ok(())
    }

    /// Locks the people whom words are about or something is derived for; returns which of them there are.
    pub(crate) async fn lock_touched_people(
        &mut self,
        ledger: &Ledger,
        words: &Words,
    ) -> Result<BTreeSet<Uuid>, Error> {
        let Some(index) = self.domain.entity(&self.rules.latest().journey.person) else {
            return Ok(BTreeSet::new());
        };
        let mut keys = self.touched(ledger, index);
        keys.extend(words.people());
        match keys.is_empty() {
            true => Ok(BTreeSet::new()),
            false => self.lock_people(&keys.into_iter().collect::<Vec<_>>()).await,
        }
    }

    /// Whatever is derived for people into whose rows others were merged is derived anew. Who was given another id since
    /// is found by it.
    pub(crate) async fn touch_merged(&mut self, ledger: &mut Ledger) -> Result<(), Error> {
        if ledger.merged.is_empty() {
            return Ok(());
        }
        let Some(person) = self.person_entity().and_then(|entity| self.domain.entity(&entity.name)) else {
            return Ok(());
        };
        let reference = |key: &Uuid| Reference { entity: person, key: *key };
        let found = self.look_up(&ledger.merged.iter().map(reference).collect()).await?;
        let own = |key: &Uuid| found.renamed.get(&reference(key)).copied().unwrap_or(*key);
        ledger.merged = ledger.merged.iter().map(own).collect();
        let locked = When::Locked(person);
        for (index, _) in self.domain.derivations.iter().enumerate().filter(|(_, one)| one.when == locked) {
            ledger.touched.entry(index).or_default().extend(ledger.merged.iter().map(Uuid::to_string));
        }
        Ok(())
    }

    fn touched(&self, ledger: &Ledger, entity: usize) -> BTreeSet<Uuid> {
        let locked = When::Locked(entity);
        let derived = ledger.touched.iter().filter(|(index, _)| self.domain.derivations[**index].when == locked);
        derived.flat_map(|(_, keys)| keys.iter().filter_map(|key| Uuid::try_parse(key).ok())).collect()
    }

    /// Locks rows of an entity in the order of their keys; returns those that there are.
    pub(super) async fn lock_rows(&mut self, entity: &Entity, keys: &[Uuid], how: &str) -> Result<Vec<Uuid>, Error> {
        let sql = format!(
            "select {column} from {table} where {column} = any($1::uuid[]) order by {column} for no key update {how}",
            table = entity.table,
            column = entity.column
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(keys)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify(&format!("lock {}", entity.table), error))
    }

    /// Computes derived rows again for what the batch touched. Their keys are locked; this is a later statement,
    /// whose snapshot sees what another worker committed before it let go.
    pub(crate) async fn derive(&mut self, ledger: &Ledger) -> Result<(), Error> {
        let domain = Arc::clone(&self.domain);
        for (index, keys) in &ledger.touched {
            let derivation = &domain.derivations[*index];
            if derivation.when == When::Later {
                continue;
            }
            let keys: Vec<String> = keys.iter().cloned().collect();
            for statement in &derivation.statements {
                sqlx::query(AssertSqlSafe(statement.clone()))
                    .bind(&keys)
                    .execute(&mut *self.pg)
                    .await
                    .map_err(|error| Error::classify(&format!("derive with {}", derivation.path), error))?;
            }
        }
        Ok(())
    }
}

/// What a row that a statement returned has touched: the name of what is derived, and a key.
pub(super) fn touched(row: &PgRow, path: &str) -> Result<Option<(String, String)>, Error> {
    Ok(returned(row, "touched", path)?.zip(returned(row, "key", path)?))
}

fn subject_and_person(key: &str) -> Option<(Uuid, Uuid)> {
    let (subject, person) = key.split_once(' ')?;
    Some((Uuid::try_parse(subject).ok()?, Uuid::try_parse(person).ok()?))
}

fn returned(row: &PgRow, name: &str, path: &str) -> Result<Option<String>, Error> {
    if row.columns().iter().any(|column| column.name() == name) {
        return row.try_get(name).map_err(|error| Error::classify(&format!("read what {path} returned"), error));
    }
    Ok(None)
}
