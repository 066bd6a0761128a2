//! The rules in force: every transaction learns at its begin which they are.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, Unit, execute, within};
use crate::batch::Telling;
use crate::domain::Domain;
use crate::journey::Journey;
use crate::journey::standing::Standing;

/// Advisory lock of the rules: batches share it, whoever changes the rules has it alone.
pub(super) const RULES_LOCK: i64 = 0x6d69_6c65_0002;

/// Begins a transaction that keeps the rules from changing, and tells which they are. One round trip; the last
/// statement's snapshot is later than the lock.
const BEGIN: &str = "begin;
    select pg_advisory_xact_lock_shared(120299557552130);
    select epoch, state from journey_rules where state <> 'replaced' order by epoch";

/// The rules that a transaction goes by.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// The applied ones; none before the first were applied.
    pub applied: Rules,
    /// Those that are being applied: persons that have been brought to them are evaluated by them.
    pub applying: Option<Rules>,
}

/// A rule set and its number.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Larger for later ones; 0 for none.
    pub epoch: i64,
    /// The rules.
    pub journey: Arc<Journey>,
}

impl InForce {
    /// The rules of an epoch; of one that is over, the applied ones.
    #[must_use]
    pub fn of(&self, epoch: i64) -> &Rules {
        self.applying.as_ref().filter(|applying| applying.epoch == epoch).unwrap_or(&self.applied)
    }

    /// The latest of the rules.
    #[must_use]
    pub fn latest(&self) -> &Rules {
        self.applying.as_ref().unwrap_or(&self.applied)
    }

    fn epochs(&self) -> Vec<i64> {
        let applied = (self.applied.epoch > 0).then_some(self.applied.epoch);
        applied.into_iter().chain(self.applying.iter().map(|rules| rules.epoch)).collect()
    }
}

impl Connection {
    /// Begins a transaction, under the rules that are in force for all of it.
    ///
    /// # Errors
    /// When Postgres cannot be reached, or the rules in force do not fit this program's stream folder.
    pub async fn begin(&mut self) -> Result<Unit<'_>, Error> {
        let beginning = async {
            let rows = sqlx::raw_sql(BEGIN).fetch_all(&mut self.pg).await;
            rows.map_err(|error| Error::classify("begin", error))
        };
        let rows = within(ANSWER_SECONDS_MAX, "begin", beginning).await?;
        let epochs: Vec<(i64, String)> = rows
            .iter()
            .filter(|row| row.len() == 2)
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()
            .map_err(|error| Error::classify("read which rules are in force", error))?;
        let mut known: Vec<i64> = self.rules.epochs();
        known.push(i64::from(self.rules.applying.is_some()));
        let mut found: Vec<i64> = epochs.iter().map(|(epoch, _)| *epoch).collect();
        found.push(i64::from(epochs.iter().any(|(_, state)| state == "applying")));
        if known != found {
            self.rules = Arc::new(self.load_rules().await?);
        }
        let (domain, keys, rules) = (Arc::clone(&self.domain), self.keys.clone(), Arc::clone(&self.rules));
        Ok(Unit { pg: &mut self.pg, domain, keys, rules, telling: Telling::Told, is_building: self.is_building })
    }

    /// Where a person stands, with the rules that they are judged by; `None` when nothing is known of them.
    ///
    /// # Errors
    /// When Postgres cannot be asked.
    pub async fn standing(&mut self, person: Uuid) -> Result<Option<(Rules, Standing)>, Error> {
        let mut unit = self.begin_snapshot().await?;
        let standing = unit.load(&[person].into()).await?.remove(&person);
        let rules = standing.as_ref().map(|standing| unit.rules.of(standing.epoch).clone());
        unit.commit().await?;
        Ok(rules.zip(standing))
    }

    /// Begins a transaction that reads one snapshot and changes nothing.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<Unit<'_>, Error> {
        let beginning = async {
            execute(&mut self.pg, "begin isolation level repeatable read read only").await?;
            self.load_rules().await
        };
        let rules = Arc::new(within(ANSWER_SECONDS_MAX, "begin", beginning).await?);
        let (domain, keys, is_building) = (Arc::clone(&self.domain), self.keys.clone(), self.is_building);
        Ok(Unit { pg: &mut self.pg, domain, keys, rules, telling: Telling::Told, is_building })
    }

    /// Checks that the rules of the stream folder are those in force. On a database that has no events yet they are put
    /// in force at once: nothing has to be brought to them.
    ///
    /// # Errors
    /// `Ok(Err(…))` says what to run when they are not.
    pub async fn verify_rules(&mut self) -> Result<Result<(), String>, Error> {
        let journey = Arc::clone(&self.domain.journey);
        let adopting = async {
            let sql = format!(
                "with alone as materialized (select pg_advisory_xact_lock({RULES_LOCK}))
                 insert into journey_rules (epoch, hash, source, state, separator, applied_at)
                 select 1, $1, $2, 'applied', -1, now() from alone
                 where not exists (select from journey_rules) and not exists (select from {log})
                 on conflict do nothing",
                log = self.domain.event_log
            );
            sqlx::query(AssertSqlSafe(sql)).bind(&journey.hash).bind(&journey.source).execute(&mut self.pg).await?;
            sqlx::query_as("select hash, state from journey_rules where state <> 'replaced'")
                .fetch_all(&mut self.pg)
                .await
        };
        let adopting = async { adopting.await.map_err(|error| Error::classify("compare the rules", error)) };
        let known: Vec<(String, String)> = within(ANSWER_SECONDS_MAX, "comparing the rules", adopting).await?;
        if known.iter().any(|(hash, _)| *hash == journey.hash) {
            return Ok(Ok(()));
        }
        let what = match known.is_empty() {
            true => "no rules are in force, but there are events",
            false => "the rules in journey.toml differ from those in force",
        };
        Ok(Err(format!("{what}\n  hint: look with `milepost rules plan`, then run `milepost rules apply`")))
    }

    pub(super) async fn load_rules(&mut self) -> Result<InForce, Error> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "select epoch, state, hash, source from journey_rules where state <> 'replaced' order by epoch",
        )
        .fetch_all(&mut self.pg)
        .await
        .map_err(|error| Error::classify("read the rules in force", error))?;
        let mut in_force = InForce::default();
        for (epoch, state, hash, source) in rows {
            let rules = Rules { epoch, journey: compiled(&self.domain, &hash, &source)? };
            match state.as_str() {
                "applied" => in_force.applied = rules,
                _ => in_force.applying = Some(rules),
            }
        }
        Ok(in_force)
    }
}

/// The rules of the stream folder, if these are they; otherwise compiled from what was applied.
fn compiled(domain: &Domain, hash: &str, source: &str) -> Result<Arc<Journey>, Error> {
    if domain.journey.hash == hash {
        return Ok(Arc::clone(&domain.journey));
    }
    let entities: Vec<&str> = domain.entities.iter().map(|entity| entity.name.as_str()).collect();
    Journey::compile(source, &domain.contracts, &entities).map(Arc::new).map_err(|faults| {
        let hint = "hint: start this milepost again with the stream folder that the rules were applied from";
        Error::fault(format!("the rules in force do not fit the stream folder: {}\n  {hint}", faults.join("; ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_in_the_statement_is_the_lock() {
        assert!(BEGIN.contains(&format!("({RULES_LOCK})")));
    }
}
