//! Putting other rules in force: what is known of the change, and how far it is.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::audit_logs::{Change, Operator, Stage};
use super::rules::RULES_LOCK;
use super::{Connection, Error, TRANSACTION_SECONDS_MAX, Unit, execute, within};
use crate::batch::Telling;
use crate::journey::Journey;

/// What there is to do before rules are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: they are.
    InForce,
    /// They are being applied, under this epoch.
    Applying(i64),
    /// Other ones are being applied, under this epoch, and people have been brought to them: they come first.
    Others(i64),
    /// They are, and other ones that were being applied are given up: nobody had been brought to those.
    GivenUp(i64),
}

/// How far applying is.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(crate) struct Progress {
    /// Events up to this position are to be folded.
    pub(crate) separator: i64,
    /// Events up to this position have been folded.
    pub(crate) scanned_to: i64,
}

impl Connection {
    /// A transaction that nobody else's runs beside: what is begun after it goes by the new rules.
    pub(crate) async fn begin_alone(&mut self) -> Result<Unit<'_>, Error> {
        let waiting = async {
            execute(&mut self.pg, "begin").await?;
            sqlx::query("select pg_advisory_xact_lock($1)")
                .bind(RULES_LOCK)
                .execute(&mut self.pg)
                .await
                .map_err(|error| Error::classify("wait for the batches in flight", error))?;
            self.load_rules().await
        };
        let rules = within(TRANSACTION_SECONDS_MAX, "waiting for the batches in flight", waiting).await?;
        let (domain, keys, rules) = (Arc::clone(&self.domain), self.keys.clone(), Arc::new(rules));
        Ok(Unit { pg: &mut self.pg, domain, keys, rules, telling: Telling::Told, is_building: self.is_building })
    }

    /// Begins to apply these rules, or goes on with it. The events that are stored now are separated from those that
    /// are stored later; events that wait now belong to the later ones, whenever they are released.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin_applying(&mut self, operator: &Operator, journey: &Journey) -> Result<Begun, Error> {
        let mut unit = self.begin_alone().await?;
        let is_applied = unit.rules.applied.epoch > 0 && unit.rules.applied.journey.hash == journey.hash;
        let begun = match unit.rules.applying.as_ref().map(|rules| (rules.epoch, rules.journey.hash == journey.hash)) {
            Some((epoch, true)) => Begun::Applying(epoch),
            Some((epoch, false)) if is_applied && unit.give_up(epoch).await? => Begun::GivenUp(epoch),
            // The first rules ever, which were mended meanwhile: nobody goes by them yet.
            Some((epoch, false)) if unit.rules.applied.epoch == 0 && unit.give_up(epoch).await? => {
                Begun::Applying(unit.insert_rules(journey).await?)
            }
            Some((epoch, false)) => Begun::Others(epoch),
            None if is_applied => Begun::InForce,
            None => Begun::Applying(unit.insert_rules(journey).await?),
        };
        if let Begun::Applying(epoch) | Begun::GivenUp(epoch) = begun {
            let action = if begun == Begun::Applying(epoch) { "rules.apply" } else { "rules.give_up" };
            let stage = if begun == Begun::Applying(epoch) { Stage::Begun } else { Stage::Done };
            let details = json!({"epoch": epoch, "hash": journey.hash});
            unit.audit(operator, &Change { stage, ..Change::of(action, "journey_rules", details) }).await?;
        }
        unit.commit().await?;
        Ok(begun)
    }

    /// The transaction in which applying ends: nobody else's runs beside it.
    ///
    /// # Errors
    /// As the database says.
    pub(crate) async fn begin_finish(&mut self) -> Result<Unit<'_>, Error> {
        self.begin_alone().await
    }
}

impl Unit<'_> {
    async fn insert_rules(&mut self, journey: &Journey) -> Result<i64, Error> {
        let sql = format!(
            "insert into journey_rules (epoch, hash, source, state, separator, held_back)
             select (select coalesce(max(epoch), 0) + 1 from journey_rules), $1, $2, 'applying',
                 (select coalesce(max(position), -1) from {}),
                 (select coalesce(range_agg(int8range(position, position, '[]')), '{{}}') from waiting_events)
             returning epoch",
            self.domain.event_log
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(&journey.hash)
            .bind(&journey.source)
            .fetch_one(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("begin to apply the rules", error))
    }

    /// Gives up applying rules, if nobody has been brought to them yet.
    async fn give_up(&mut self, epoch: i64) -> Result<bool, Error> {
        let giving_up = async {
            let is_too_late: bool = sqlx::query_scalar("select exists (select from journey_facts where epoch = $1)")
                .bind(epoch)
                .fetch_one(&mut *self.pg)
                .await?;
            if is_too_late {
                return Ok(false);
            }
            sqlx::query("delete from journey_facts_staged").execute(&mut *self.pg).await?;
            sqlx::query("update journey_facts set pending = null where pending is not null")
                .execute(&mut *self.pg)
                .await?;
            sqlx::query("update journey_rules set state = 'replaced' where epoch = $1")
                .bind(epoch)
                .execute(&mut *self.pg)
                .await?;
            Ok(true)
        };
        giving_up.await.map_err(|error| Error::classify("give up applying rules", error))
    }

    /// Puts the rules in force: everybody has been brought to them.
    pub(crate) async fn put_in_force(&mut self, epoch: i64) -> Result<(), Error> {
        for sql in [
            "update journey_rules set state = 'replaced' where state = 'applied' and epoch <> $1",
            "update journey_rules set state = 'applied', applied_at = now() where epoch = $1 and state = 'applying'",
        ] {
            sqlx::query(sql)
                .bind(epoch)
                .execute(&mut *self.pg)
                .await
                .map_err(|error| Error::classify("put the rules in force", error))?;
        }
        Ok(())
    }
}

impl Unit<'_> {
    /// How far applying is.
    pub(crate) async fn applying_progress(&mut self, epoch: i64) -> Result<Progress, Error> {
        sqlx::query_as("select separator, scanned_to from journey_rules where epoch = $1 for no key update")
            .bind(epoch)
            .fetch_one(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("read how far applying is", error))
    }

    /// Notes how far applying is.
    pub(crate) async fn scanned(&mut self, epoch: i64, to: i64) -> Result<(), Error> {
        sqlx::query("update journey_rules set scanned_to = $2 where epoch = $1")
            .bind(epoch)
            .bind(to)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("note how far applying is", error))
    }

    /// The next people after one, in the order of their keys, who have not been brought to these rules.
    pub(crate) async fn not_yet_at(&mut self, epoch: i64, after: Uuid, limit: i64) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar(
            "(select user_id from journey_facts where epoch < $1 and user_id > $2 order by user_id limit $3)
             union (select user_id from journey_facts_staged where user_id > $2 order by user_id limit $3)
             order by user_id limit $3",
        )
        .bind(epoch)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("look for people to bring to the rules", error))
    }

    /// The next people after one who have facts, in the order of their keys.
    pub(crate) async fn people_after(&mut self, after: Uuid, limit: i64) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar("select user_id from journey_facts where user_id > $1 order by user_id limit $2")
            .bind(after)
            .bind(limit)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("read people", error))
    }

    /// These people have been brought to the rules: what was staged for them is part of their facts now.
    pub(crate) async fn unstage(&mut self, people: &[Uuid]) -> Result<(), Error> {
        sqlx::query("delete from journey_facts_staged where user_id = any($1)")
            .bind(people)
            .execute(&mut *self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("clear staged facts", error))
    }
}
