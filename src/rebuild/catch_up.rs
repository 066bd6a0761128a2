//! Bringing a generation up to date: beside the service at work, and at last while it is kept waiting.

use std::time::{Duration, Instant};

use chrono::Utc;
use uuid::Uuid;

use super::{Builder, Error, Progress, fill, give_up, in_the_way};
use crate::retry::Pause;
use crate::store;
use crate::store::rebuild::At;

/// So few events are filled in while batches wait, at first.
pub(super) const LEVEL_EVENTS: i64 = 500;
/// Rounds of catching up before it is tried in any case.
const ROUNDS_MAX: usize = 50;
/// Notes that are derived in one transaction.
const TOUCHED_MAX: i64 = 2000;
/// How long the service's deriver is waited for while batches wait.
const DERIVED_WITHIN: Duration = Duration::from_secs(2);
/// So few notes it derives within that time.
const BACKLOG_MAX: i64 = 2000;
/// When its backlog has not changed for so long, there is no deriver at work.
const DERIVED_NOTHING_FOR: Duration = Duration::from_secs(5);
/// Pause between two looks at what is derived.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl<P: Progress> Builder<'_, P> {
    /// Fills the generation beside the running service, until little is missing: also while what was filled was derived
    /// and evaluated, which takes minutes the first time.
    pub(super) async fn catch_up(&mut self) -> Result<(), Error> {
        self.progress.stage("filling");
        self.fill_most().await?;
        // What follows is long statements, and plans for empty tables would be bad ones.
        let names = self.plan.names();
        self.connection.analyze(&self.generation, &names).await?;
        for _ in 0..ROUNDS_MAX {
            self.progress.stage("deriving");
            self.derive().await?;
            self.progress.stage("evaluating");
            self.evaluate(At::Now(Utc::now())).await?;
            if self.fill_most().await? <= LEVEL_EVENTS {
                break;
            }
        }
        Ok(())
    }

    /// Fills until little is missing; gives how many positions were.
    async fn fill_most(&mut self) -> Result<i64, Error> {
        let mut all = 0;
        for _ in 0..ROUNDS_MAX {
            let target = self.settled().await?;
            let missing = self.connection.missing(target).await?;
            self.fill(target, self.workers).await?;
            all += missing;
            if missing <= LEVEL_EVENTS {
                break;
            }
        }
        Ok(all)
    }

    /// Lets the others go on before another try, and fills in what they did meanwhile.
    pub(super) async fn step_back(
        &mut self,
        began: Instant,
        error: store::Error,
        pause: &mut Pause,
    ) -> Result<(), Error> {
        self.connection.rollback().await?;
        self.connection.let_go().await?;
        give_up(began, error)?;
        tokio::time::sleep(pause.longer()).await;
        self.fill_most().await?;
        self.derive().await?;
        self.evaluate(At::Now(Utc::now())).await
    }

    /// A position up to which everything is committed: the last one, at a moment when no batch was in flight.
    pub(super) async fn settled(&mut self) -> Result<i64, Error> {
        let mut pause = Pause::default();
        let began = Instant::now();
        while let Err(error) = self.connection.be_alone().await {
            give_up(began, error)?;
            tokio::time::sleep(pause.longer()).await;
        }
        let last = self.connection.last_drawn().await?;
        self.connection.let_go().await?;
        Ok(last)
    }

    pub(super) async fn fill(&mut self, up_to: i64, workers: usize) -> Result<u64, Error> {
        let progress = self.progress.clone();
        progress.total(up_to.unsigned_abs());
        let tell = move |events| progress.filled(events);
        let filling = fill::fill(self.store, &mut self.connection, &self.generation, up_to, workers, tell);
        let filled = Box::pin(filling).await?;
        self.built.events += filled.applied;
        Ok(filled.applied)
    }

    pub(super) async fn derive(&mut self) -> Result<(), Error> {
        while self.connection.derive_later(TOUCHED_MAX).await?.is_some_and(|derived| derived > 0) {}
        Ok(())
    }

    /// Evaluates whom something has changed of since they were evaluated last.
    pub(super) async fn evaluate(&mut self, at: At) -> Result<(), Error> {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let mut unit = self.connection.begin().await?;
            after = unit.evaluate_some(from, at).await?;
            unit.commit().await?;
        }
        Ok(())
    }

    /// Fills in what is left, while nobody else is at work: from here on both are made of the same events.
    ///
    /// # Errors
    /// [`store::Error::Contended`] when that is too much to be kept waiting for.
    pub(super) async fn level(&mut self) -> Result<(), Error> {
        // Nothing may be left to fill, and rules were applied all the same.
        if !self.connection.is_by_rules_in_force(&self.generation).await? {
            let hint = "hint: finish `milepost rules apply`, then rebuild anew";
            let why = "other rules than those that the tables were made by were applied, or are being applied";
            return Err(Error::Refused(format!("{why}\n  {hint}")));
        }
        let last = self.connection.last_drawn().await?;
        if self.connection.missing(last).await? > self.level_max {
            // Where events come faster than that, the next try takes more of them.
            self.level_max = self.level_max.saturating_mul(2);
            return Err(in_the_way());
        }
        self.fill(last, 0).await?;
        self.derive().await
    }

    /// What batches only noted is derived by the service. One that is behind is waited for before batches are kept
    /// waiting; that it is at work is seen from its backlog, which changes.
    pub(super) async fn wait_for_backlog(&mut self) -> Result<(), Error> {
        let first = self.connection.underived().await?;
        let (mut seen, mut since, mut is_at_work) = (first, Instant::now(), false);
        while seen > 0 && (seen > BACKLOG_MAX || !is_at_work) {
            if since.elapsed() > DERIVED_NOTHING_FOR {
                let hint = "hint: is the service running? `milepost run --until-idle` derives it";
                let behind = "the live tables are not up to date: nobody derives what batches noted";
                return Err(Error::Refused(format!("{behind}\n  {hint}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.connection.underived().await?;
            if now != seen {
                (seen, since, is_at_work) = (now, Instant::now(), true);
            }
        }
        Ok(())
    }

    /// The rest takes a moment, as nobody notes more.
    pub(super) async fn wait_for_deriver(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        while self.connection.underived().await? > 0 {
            if began.elapsed() > DERIVED_WITHIN {
                return Err(in_the_way());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}
