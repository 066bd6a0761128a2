//! Putting other rules in force: what is known of the change, and how far it is.

use uuid::Uuid;

use super::rules::RULES_LOCK;
use super::{COMMIT_SECONDS_MAX, Connection, Error, TRANSACTION_SECONDS_MAX, Unit, execute, within};
use crate::journey::Journey;

/// What there is to do before rules are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: they are.
    InForce,
    /// They are being applied, under this epoch.
    Applying(i64),
    /// Other ones are being applied, under this epoch: they come first.
    Others(i64),
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
    async fn begin_alone(&mut self) -> Result<(), Error> {
        let waiting = async {
            execute(&mut self.pg, "begin").await?;
            sqlx::query("select pg_advisory_xact_lock($1)")
                .bind(RULES_LOCK)
                .execute(&mut self.pg)
                .await
                .map(|_| ())
                .map_err(|error| Error::classify("wait for the batches in flight", error))
        };
        within(TRANSACTION_SECONDS_MAX, "waiting for the batches in flight", waiting).await
    }

    /// Begins to apply these rules, or goes on with it. The events that are stored now are separated from those that
    /// are stored later; events that wait now belong to the later ones, whenever they are released.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin_applying(&mut self, journey: &Journey) -> Result<Begun, Error> {
        self.begin_alone().await?;
        let known: Vec<(i64, String, String)> =
            sqlx::query_as("select epoch, state, hash from journey_rules where state <> 'replaced' order by epoch")
                .fetch_all(&mut self.pg)
                .await
                .map_err(|error| Error::classify("read the rules in force", error))?;
        let applying = known.iter().find(|(_, state, _)| state == "applying");
        let begun = match applying {
            Some((epoch, _, hash)) if *hash == journey.hash => Begun::Applying(*epoch),
            Some((epoch, ..)) => Begun::Others(*epoch),
            None if known.iter().any(|(.., hash)| *hash == journey.hash) => Begun::InForce,
            None => Begun::Applying(self.insert_rules(journey).await?),
        };
        within(COMMIT_SECONDS_MAX, "commit", execute(&mut self.pg, "commit")).await?;
        Ok(begun)
    }

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
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("begin to apply the rules", error))
    }

    /// Puts the rules in force, if everybody has been brought to them.
    ///
    /// # Errors
    /// As the database says.
    pub async fn finish_applying(&mut self, epoch: i64) -> Result<bool, Error> {
        self.begin_alone().await?;
        let finishing = async {
            let is_done: bool = sqlx::query_scalar(
                "select not exists (select from journey_facts where epoch <> $1)
                    and not exists (select from journey_facts_staged)",
            )
            .bind(epoch)
            .fetch_one(&mut self.pg)
            .await?;
            if is_done {
                sqlx::query("update journey_rules set state = 'replaced' where state = 'applied'")
                    .execute(&mut self.pg)
                    .await?;
                sqlx::query("update journey_rules set state = 'applied', applied_at = now() where epoch = $1")
                    .bind(epoch)
                    .execute(&mut self.pg)
                    .await?;
            }
            Ok(is_done)
        };
        let is_done = finishing.await.map_err(|error| Error::classify("put the rules in force", error))?;
        within(COMMIT_SECONDS_MAX, "commit", execute(&mut self.pg, "commit")).await?;
        Ok(is_done)
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
            "(select user_id from journey_facts where epoch <> $1 and user_id > $2 order by user_id limit $3)
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
