//! Rebuilding the tables of Postgres: made anew from the event store beside the live ones, compared, and put in place.
//!
//! A generation of all tables that follow from the events is filled in a schema of its own, by the same SQL, while the
//! service goes on. When little is missing, batches are kept waiting for a moment: what is left is filled in, and then both
//! are made of the same events. From that moment the two are compared on one snapshot, or they change places.
//!
//! A rebuild that was killed is begun anew. Going back is the same thing with the generation before: it is brought up to
//! date, and swapped.

mod fill;
mod order;
mod plan;

use std::time::{Duration, Instant};

use chrono::Utc;
use uuid::Uuid;

use crate::retry::Pause;
use crate::store::rebuild::{At, Generation, NEXT, PREVIOUS};
use crate::store::{self, Connection, Store};

pub use crate::store::rebuild::{Difference, Lack, Lacks, Row};
pub use order::{Built, Error, Order, Progress};
pub use plan::Plan;

/// So few events are filled in while batches wait, at first.
const LEVEL_EVENTS: i64 = 500;
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
/// For how long a moment without batches or readers in the way is looked for.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);

struct Builder<'s, P> {
    store: &'s Store,
    /// Fills what is left, compares and swaps; holds the locks.
    connection: Connection,
    generation: Generation,
    plan: Plan,
    workers: usize,
    progress: P,
    built: Built,
    /// So many positions are filled in while batches wait.
    level_max: i64,
}

/// Rebuilds tables.
///
/// # Errors
/// When Postgres fails, somebody else rebuilds, or it cannot be done. The live tables are as they were then.
pub async fn rebuild(store: &Store, order: Order, progress: impl Progress) -> Result<Built, Error> {
    let began = Instant::now();
    if let Some(refusal) = refusal(&order) {
        return Err(Error::Refused(refusal));
    }
    let mut connection = alone_at_it(store, NEXT).await?;
    let obstacles = connection.obstacles(&order.plan.names()).await?;
    if !obstacles.is_empty() {
        return Err(Error::Refused(format!("these tables cannot be rebuilt: {}", obstacles.join("; "))));
    }
    let generation = connection.make_generation(&order.plan.names()).await?;
    let built = Built { tables: order.plan.tables.len(), ..Built::default() };
    let (plan, workers) = (order.plan, order.workers);
    let mut builder =
        Builder { store, connection, generation, plan, workers, progress, built, level_max: LEVEL_EVENTS };
    Box::pin(builder.catch_up()).await?;
    if order.is_compared {
        Box::pin(builder.compare(order.with_values)).await?;
    }
    if order.is_swapped {
        Box::pin(builder.put_in_place()).await?;
    } else {
        builder.connection.drop_generation(NEXT).await?;
    }
    Ok(Built { seconds: began.elapsed().as_secs_f64(), ..builder.built })
}

/// Brings the generation before up to date, and puts it in the place of what is read; that is kept in turn.
///
/// # Errors
/// As [`rebuild`], and when there is none.
pub async fn roll_back(store: &Store, workers: usize, progress: impl Progress) -> Result<Built, Error> {
    let began = Instant::now();
    let mut connection = alone_at_it(store, PREVIOUS).await?;
    let Some(generation) = connection.generation(PREVIOUS).await? else {
        return Err(Error::Refused("there is no generation before to go back to".into()));
    };
    let domain = connection.domain();
    let plan = Plan::of(&domain, &generation.named).map_err(Error::Refused)?;
    let gone = connection.obstacles_of(&generation, &plan.names()).await?;
    if !gone.is_empty() {
        let hint = "hint: use the stream folder that it was made with, or rebuild anew";
        return Err(Error::Refused(format!("the generation before has other tables: {}\n  {hint}", gone.join(", "))));
    }
    let built = Built { tables: plan.tables.len(), ..Built::default() };
    let mut builder =
        Builder { store, connection, generation, plan, workers, progress, built, level_max: LEVEL_EVENTS };
    Box::pin(builder.catch_up()).await?;
    Box::pin(builder.put_in_place()).await?;
    Ok(Built { seconds: began.elapsed().as_secs_f64(), ..builder.built })
}

/// Drops the generation before; `false`: there is none.
///
/// # Errors
/// When Postgres fails, or somebody rebuilds.
pub async fn drop_previous(store: &Store) -> Result<bool, Error> {
    Ok(alone_at_it(store, PREVIOUS).await?.drop_generation(PREVIOUS).await?)
}

fn refusal(order: &Order) -> Option<String> {
    let lacking = order.plan.lacking().into_iter().collect::<Vec<_>>();
    (order.is_swapped && !lacking.is_empty()).then(|| {
        format!(
            "{} cannot be swapped without {}\n  hint: name these too, or use --all; --diff compares what is named alone",
            order.plan.named().join(", "),
            lacking.join(", ")
        )
    })
}

async fn alone_at_it(store: &Store, schema: &str) -> Result<Connection, Error> {
    let mut connection = store.connect_building(schema).await?;
    match connection.may_rebuild().await? {
        true => Ok(connection),
        false => Err(Error::Rebuilding),
    }
}

impl<P: Progress> Builder<'_, P> {
    /// Fills the generation beside the running service, until little is missing: also while what was filled was derived
    /// and evaluated, which takes minutes the first time.
    async fn catch_up(&mut self) -> Result<(), Error> {
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
    async fn step_back(&mut self, began: Instant, error: store::Error, pause: &mut Pause) -> Result<(), Error> {
        self.connection.rollback().await?;
        self.connection.let_go().await?;
        give_up(began, error)?;
        tokio::time::sleep(pause.longer()).await;
        self.fill_most().await?;
        self.derive().await?;
        self.evaluate(At::Now(Utc::now())).await
    }

    /// A position up to which everything is committed: the last one, at a moment when no batch was in flight.
    async fn settled(&mut self) -> Result<i64, Error> {
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

    async fn fill(&mut self, up_to: i64, workers: usize) -> Result<u64, Error> {
        let progress = self.progress.clone();
        progress.total(up_to.unsigned_abs());
        let tell = move |events| progress.filled(events);
        let filling = fill::fill(self.store, &mut self.connection, &self.generation, up_to, workers, tell);
        let filled = Box::pin(filling).await?;
        self.built.events += filled.applied;
        Ok(filled.applied)
    }

    async fn derive(&mut self) -> Result<(), Error> {
        while self.connection.derive_later(TOUCHED_MAX).await?.is_some_and(|derived| derived > 0) {}
        Ok(())
    }

    /// Evaluates whom something has changed of since they were evaluated last.
    async fn evaluate(&mut self, at: At) -> Result<(), Error> {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let mut unit = self.connection.begin().await?;
            let (last, _) = unit.evaluate_some(from, at).await?;
            unit.commit().await?;
            after = last;
        }
        Ok(())
    }

    /// Fills in what is left, while nobody else is at work: from here on both are made of the same events.
    ///
    /// # Errors
    /// [`store::Error::Contended`] when that is too much to be kept waiting for.
    async fn level(&mut self) -> Result<(), Error> {
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
        // Months that were dropped meanwhile were not filled. From here on they may go.
        self.connection.verify_whole().await?;
        self.derive().await
    }

    async fn compare(&mut self, with_values: bool) -> Result<(), Error> {
        self.progress.stage("comparing");
        let (mut pause, began) = (Pause::default(), Instant::now());
        loop {
            match Box::pin(self.begin_comparing()).await {
                Ok(()) => break,
                Err(Error::Store(error @ store::Error::Contended { .. })) => {
                    self.step_back(began, error, &mut pause).await?;
                }
                Err(error) => return Err(error),
            }
        }
        self.built.lacks = self.connection.lacks().await?;
        let compared =
            self.plan.tables.iter().filter(|table| self.plan.named.contains(&table.name) && !table.is_internal);
        for table in compared {
            self.built.compared += 1;
            let difference = self.connection.difference(&self.generation, table).await?;
            if difference.only_live + difference.only_rebuilt + difference.different > 0 {
                self.built.differences.push(difference);
            }
        }
        self.connection.end_comparing().await?;
        for difference in &mut self.built.differences {
            let personal = self.connection.personal_columns(&difference.table).await?;
            for row in &mut difference.rows {
                self.connection.name_events(row).await?;
                row.narrow(with_values, &personal);
            }
        }
        Ok(())
    }

    /// Takes one snapshot of both, at a moment when they are made of the same events and show the same moment.
    async fn begin_comparing(&mut self) -> Result<(), Error> {
        self.wait_for_backlog().await?;
        self.connection.be_alone().await?;
        let began = Instant::now();
        self.level().await?;
        self.wait_for_deriver().await?;
        self.evaluate(At::AsLive(Utc::now())).await?;
        self.connection.begin_comparing().await?;
        self.connection.let_go().await?;
        self.was_alone(began);
        Ok(())
    }

    /// What batches only noted is derived by the service. One that is behind is waited for before batches are kept
    /// waiting; that it is at work is seen from its backlog, which changes.
    async fn wait_for_backlog(&mut self) -> Result<(), Error> {
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
    async fn wait_for_deriver(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        while self.connection.underived().await? > 0 {
            if began.elapsed() > DERIVED_WITHIN {
                return Err(in_the_way());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn put_in_place(&mut self) -> Result<(), Error> {
        self.progress.stage("swapping");
        let (mut pause, began) = (Pause::default(), Instant::now());
        let crossing = loop {
            match Box::pin(self.swap()).await {
                Ok(crossing) => break crossing,
                Err(Error::Store(error @ store::Error::Contended { .. })) => {
                    self.step_back(began, error, &mut pause).await?;
                }
                Err(error) => return Err(error),
            }
        };
        self.built.is_swapped = true;
        for (table, name) in crossing {
            let mut validated = self.connection.validate(&table, &name).await;
            while let Err(store::Error::Contended { .. }) = validated {
                tokio::time::sleep(pause.longer()).await;
                validated = self.connection.validate(&table, &name).await;
            }
            if !validated? {
                self.built.unvalidated.push(format!("{table}.{name}"));
            }
        }
        Ok(())
    }

    async fn swap(&mut self) -> Result<Vec<(String, String)>, Error> {
        self.connection.be_alone().await?;
        let began = Instant::now();
        self.connection.be_alone_deriving().await?;
        self.level().await?;
        let lacks = self.connection.lacks().await?;
        if lacks.events > 0 {
            let some = lacks.some.iter().map(|lack| format!("\n  {} {}: {}", lack.event_type, lack.event_id, lack.why));
            let hint = "hint: mend the contract or the projection that they come to grief on";
            let told: String = some.collect();
            return Err(Error::Refused(format!(
                "{} events that have had their effect would have none in the new tables:{told}\n  {hint}",
                lacks.events
            )));
        }
        if self.plan.named.len() < self.plan.tables.len() {
            let routed = self.connection.newly_routed(&self.generation).await?;
            if routed > 0 {
                let hint = "hint: use --all, or give them their effect with `milepost replay --from log` first";
                return Err(Error::Refused(format!(
                    "{routed} stored events have got a contract since, and some tables alone would have half of their \
                     effect\n  {hint}"
                )));
            }
        }
        let now = Utc::now();
        self.evaluate(At::Now(now)).await?;
        self.tell(now).await?;
        let (named, all) = (self.plan.named(), self.plan.names());
        let crossing = Box::pin(self.connection.swap(&self.generation, (&named, &all))).await?;
        self.connection.let_go().await?;
        self.was_alone(began);
        Ok(crossing)
    }

    /// Who is told something else by the new tables is told so, once; nobody where nothing differs.
    async fn tell(&mut self, now: chrono::DateTime<Utc>) -> Result<(), Error> {
        self.connection.begin_telling().await?;
        if !self.plan.named.contains("journey_facts") {
            return Ok(());
        }
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let mut unit = self.connection.begin().await?;
            after = unit.tell_some(&self.generation, from, now).await?;
            unit.commit().await?;
        }
        Ok(())
    }

    fn was_alone(&mut self, began: Instant) {
        self.built.alone_seconds = self.built.alone_seconds.max(began.elapsed().as_secs_f64());
    }
}

/// What Postgres says when a lock is not to be had in time: let go, and try again.
fn in_the_way() -> Error {
    Error::Store(store::Error::Contended { sqlstate: "55P03".into() })
}

/// Somebody is in the way: again, unless that has gone on for too long.
fn give_up(began: Instant, error: store::Error) -> Result<(), Error> {
    match error {
        store::Error::Contended { .. } if began.elapsed() < GIVE_UP_AFTER => Ok(()),
        store::Error::Contended { .. } => Err(Error::Refused(format!(
            "for {} s there was no moment without somebody in the way\n  hint: look in pg_stat_activity for transactions \
             that have been open for long, and try again",
            GIVE_UP_AFTER.as_secs()
        ))),
        error => Err(error.into()),
    }
}
