//! Rebuilding the tables of Postgres: made anew from the event store beside the live ones, compared, and put in place.
//!
//! A generation of all tables that follow from the events is filled in a schema of its own, by the same SQL, while the
//! service goes on. When little is missing, batches are kept waiting for a moment: what is left is filled in, and then both
//! are made of the same events. From that moment the two are compared on one snapshot, or they change places.
//!
//! A rebuild that was killed is begun anew. Going back is the same thing with the generation before: it is brought up to
//! date, and swapped.

mod catch_up;
mod fill;
mod order;
mod plan;

use std::time::{Duration, Instant};

use chrono::Utc;
use uuid::Uuid;

use crate::retry::Pause;
use crate::store::rebuild::{At, Generation, NEXT, PREVIOUS};
use crate::store::{self, Connection, Store};
use catch_up::LEVEL_EVENTS;

pub use crate::store::rebuild::{Difference, Lack, Lacks, Row};
pub use order::{Built, Error, Order, Progress};
pub use plan::Plan;

/// For how long a moment without batches or readers in the way is looked for.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
/// For how long events behind rows that differ are searched for in all of the store.
const SEARCH_FOR: Duration = Duration::from_secs(60);

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
    connection.verify_whole().await?; // no month can be dropped from here on
    let obstacles = connection.obstacles(&order.plan.names()).await?;
    if !obstacles.is_empty() {
        return Err(Error::Refused(format!("these tables cannot be rebuilt: {}", obstacles.join("; "))));
    }
    if order.is_swapped {
        finish_what_was_begun(&mut connection, &order.plan).await?;
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
    connection.verify_whole().await?; // no month can be dropped from here on
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
    finish_what_was_begun(&mut builder.connection, &builder.plan).await?;
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
        let began = Instant::now();
        for difference in &mut self.built.differences {
            let personal = self.connection.personal_columns(&difference.table).await?;
            for row in &mut difference.rows {
                self.connection.name_events(row, began.elapsed() < SEARCH_FOR).await?;
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
            if !is_valid(&mut self.connection, &table, &name).await? {
                self.built.unvalidated.push(format!("{}.{name}", table.trim_start_matches("public.")));
            }
        }
        Ok(())
    }

    async fn swap(&mut self) -> Result<Vec<(String, String)>, Error> {
        let noted = self.settled().await?;
        self.connection.note_open(&self.generation, noted).await?;
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
        let crossing = Box::pin(self.connection.swap(&self.generation, (&named, &all), noted)).await?;
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

/// What one who was killed just after a swap did not come to. Copies of these keys are as they are.
async fn finish_what_was_begun(connection: &mut Connection, plan: &Plan) -> Result<(), Error> {
    for (table, name) in connection.not_validated(&plan.names()).await? {
        if !is_valid(connection, &table, &name).await? {
            tracing::warn!(table, key = name, "rows refer to what is not there");
        }
    }
    Ok(())
}

/// Has the rows of a foreign key looked at.
async fn is_valid(connection: &mut Connection, table: &str, name: &str) -> Result<bool, Error> {
    let mut pause = Pause::default();
    loop {
        match connection.validate(table, name).await {
            Err(store::Error::Contended { .. }) => tokio::time::sleep(pause.longer()).await,
            validated => return Ok(validated?),
        }
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
