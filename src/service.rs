//! The running service: its tasks, and how they end. The first task that ends for any reason ends the process
//! with its cause; a stop ends all of them, the batch in flight finished.

mod auditor;
mod deriver;
mod feeder;
mod halt;
mod idle;
mod monitor;
mod relayer;
mod releaser;
mod tidier;
mod timekeeper;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use halt::Halt;

use crate::audit;
use crate::batch::Telling;
use crate::domain::Domain;
use crate::event::Outcome;
use crate::health::Health;
use crate::pipeline::Run;
use crate::release::Released;
use crate::retry::Pause;
use crate::sink::Sink;
use crate::source::{self, FetchLimits, Source};
use crate::store::{Connection, Store};

/// The longest that comparing the stream with the books may take at start.
const CHECK_SECONDS_MAX: u64 = 60;
/// How long tasks get to finish what they are at.
const GRACE_SECONDS_MAX: u64 = 10;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where NATS is.
    pub nats_url: String,
    /// Workers, each with a connection of its own.
    pub workers: usize,
    /// Bounds of a batch.
    pub limits: FetchLimits,
    /// End when everything is drained.
    pub until_idle: bool,
    /// Which parts run.
    pub parts: Parts,
    /// Where ClickHouse is; without it, nothing is fed.
    pub sink: Option<Sink>,
}

/// The parts of the service that run in this process.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Events into Postgres, waiting events released, and what is derived later.
    pub project: bool,
    /// Flags that change by the passing of time.
    pub timers: bool,
    /// Own events to the stream.
    pub outbox: bool,
    /// Stored events into ClickHouse.
    pub analytics: bool,
    /// What was never handled is found and filled.
    pub audit: bool,
}

/// What all tasks share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) domain: Arc<Domain>,
    pub(crate) store: Store,
    pub(crate) source: Source,
    pub(crate) run: Run,
    pub(crate) health: Health,
    pub(crate) stop: CancellationToken,
    /// Called while the stream is not the one that the books are about.
    pub(crate) halt: Halt,
    pub(crate) tally: Arc<Tally>,
    pub(crate) parts: Parts,
    pub(crate) until_idle: bool,
}

/// What this run has done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ended: Mutex<HashMap<Outcome, u64>>,
    released: Mutex<Released>,
    last_commit: Mutex<Option<DateTime<Utc>>>,
    fed: AtomicU64,
}

/// The summary that `run --until-idle` prints. Its JSON is a fixed interface.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Messages received in this run, each sequence once.
    pub received: u64,
    /// Of these: had their effect, at the latest by the end of the run.
    pub applied: u64,
    /// Of these: their event had been taken before.
    pub duplicates: u64,
    /// Of these: still held back.
    pub waiting: u64,
    /// Of these: no contract.
    pub unrouted: u64,
    /// Of these: dead letters.
    pub dead_letters: u64,
    /// Of these: our own.
    pub own: u64,
    /// Waiting events that were projected in this run, whenever they were received.
    pub released: u64,
    /// Events held back at the end, whenever they were received.
    pub waiting_total: u64,
    /// Stored events carried into ClickHouse in this run.
    pub fed: u64,
    /// How long the run took.
    pub seconds: f64,
}

impl Shared {
    /// Fails when the stream was deleted and created again while we ran: its sequences are other messages now.
    pub(crate) async fn same_stream(&self) -> anyhow::Result<Result<(), source::Error>> {
        match self.source.incarnation().await {
            Ok(incarnation) if Some(incarnation) != self.run.incarnation => anyhow::bail!(
                "the stream {:?} was deleted and created again while we ran\n  hint: if that was on purpose, run \
                 `milepost streams apply --adopt` and start again; events that were taken before stay taken",
                self.domain.stream.name
            ),
            Ok(_) => Ok(Ok(())),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl Tally {
    pub(crate) fn ended(&self, totals: &[(Outcome, u64)]) {
        let mut ended = lock(&self.ended);
        for (outcome, count) in totals {
            *ended.entry(*outcome).or_default() += count;
        }
    }

    pub(crate) fn released(&self, released: Released) {
        *lock(&self.released) += released;
    }

    pub(crate) fn fed(&self, events: i64) {
        self.fed.fetch_add(events.unsigned_abs(), Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, newest: DateTime<Utc>) {
        let mut last = lock(&self.last_commit);
        *last = (*last).max(Some(newest));
    }

    pub(crate) fn last_commit(&self) -> Option<DateTime<Utc>> {
        *lock(&self.last_commit)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs until stopped, idle (if asked to), or something cannot go on. The caller owns the stop, and serves HTTP from
/// before anything that may have to be waited for.
///
/// # Errors
/// The cause of the end, when nobody asked for it.
pub async fn run(
    options: Options,
    store: Store,
    serving: JoinHandle<std::io::Result<()>>,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let mut tasks: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
    tasks.spawn(async move { ("http", serving.await.map_err(Into::into).and_then(|ended| ended.map_err(Into::into))) });
    let Some((mut connection, shared)) = set_up(&options, store, health, stop).await? else {
        anyhow::bail!("stopped before everything was set up");
    };
    spawn(&mut tasks, &options, &shared);
    shared.health.started();
    tracing::info!(workers = options.workers, stream = shared.domain.stream.name, "running");
    let ended = supervise(&mut tasks, &shared.stop).await;
    shared.source.flush().await;
    ended?;
    if connection.statistics().await.is_err() {
        connection = shared.store.connect().await?;
    }
    summary(&shared, &mut connection, began).await
}

/// Connects to both sides, however long that takes, and checks that this is the stream we know.
async fn set_up(
    options: &Options,
    store: Store,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<Option<(Connection, Shared)>> {
    let domain = Arc::clone(&store.domain);
    let source = async || Source::connect(&options.nats_url, Arc::clone(&domain), health.clone()).await;
    let Some(source) = persist("nats", &health, &stop, source).await else {
        return Ok(None);
    };
    let Some(mut connection) = persist("postgres", &health, &stop, async || store.connect().await).await else {
        return Ok(None);
    };
    let checked =
        tokio::time::timeout(Duration::from_secs(CHECK_SECONDS_MAX), audit::check_stream(&mut connection, &source));
    let incarnation = checked.await.context("checking the stream took too long")??.map_err(anyhow::Error::msg)?;
    let run = Run { id: Uuid::now_v7(), incarnation: Some(incarnation), telling: Telling::Told, is_rehearsal: false };
    let tally = Arc::new(Tally::default());
    let (parts, until_idle) = (options.parts, options.until_idle);
    let halt = Halt::default();
    Ok(Some((connection, Shared { domain, store, source, run, health, stop, halt, tally, parts, until_idle })))
}

/// Tries until it works or the service is stopped.
pub(crate) async fn persist<T, E: std::error::Error>(
    part: &'static str,
    health: &Health,
    stop: &CancellationToken,
    attempt: impl AsyncFn() -> Result<T, E>,
) -> Option<T> {
    let mut pause = Pause::default();
    loop {
        match attempt().await {
            Ok(value) => {
                health.well(part);
                return Some(value);
            }
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                tracing::warn!(part, error = %format!("{error}{cause}"), "not available, trying again");
                health.trouble(part, error.to_string());
            }
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(pause.longer()) => {}
        }
    }
}

fn spawn(tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>, options: &Options, shared: &Shared) {
    let parts = options.parts;
    for number in (1..=options.workers).filter(|_| parts.project) {
        let (shared, limits) = (shared.clone(), options.limits);
        tasks.spawn(async move { ("worker", worker::work(shared, number, limits).await) });
    }
    if parts.project {
        let (releasing, deriving) = (shared.clone(), shared.clone());
        tasks.spawn(async move { ("releaser", releaser::release_for_ever(releasing).await) });
        tasks.spawn(async move { ("deriver", deriver::derive_for_ever(deriving).await) });
    }
    if let Some(claims_kept) = shared.domain.claims_kept.filter(|_| parts.project) {
        let shared = shared.clone();
        tasks.spawn(async move { ("tidier", tidier::tidy_for_ever(shared, claims_kept).await) });
    }
    if parts.timers {
        let shared = shared.clone();
        tasks.spawn(async move { ("timers", timekeeper::fire_for_ever(shared).await) });
    }
    if parts.outbox {
        let shared = shared.clone();
        tasks.spawn(async move { ("outbox", relayer::relay_for_ever(shared).await) });
    }
    if let Some(sink) = options.sink.clone().filter(|_| parts.analytics) {
        let shared = shared.clone();
        tasks.spawn(async move { ("analytics", feeder::feed_for_ever(shared, sink).await) });
    }
    if parts.audit || parts.project || parts.outbox {
        let shared = shared.clone();
        tasks.spawn(async move { ("audit", auditor::audit_for_ever(shared).await) });
    }
    let watching = shared.clone();
    tasks.spawn(async move { ("monitor", monitor::watch(watching).await) });
    if options.until_idle {
        let waiting = shared.clone();
        tasks.spawn(async move { ("idle", idle::stop_when_idle(waiting).await) });
    }
}

/// Waits for the first task to end, stops the others, and gives them time to finish.
async fn supervise(
    tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut cause = Ok(());
    let mut deadline = None;
    loop {
        let ended = match deadline {
            None => tasks.join_next().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, tasks.join_next()).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::warn!(
                        left = tasks.len(),
                        "tasks did not finish in time; what they held is delivered again"
                    );
                    tasks.shutdown().await;
                    return cause;
                }
            },
        };
        let failure = match ended {
            None => return cause,
            Some(Ok((_, Ok(())))) if stop.is_cancelled() => None,
            Some(Ok((name, Ok(())))) => Some(anyhow::anyhow!("the task {name:?} ended by itself")),
            Some(Ok((name, Err(error)))) => Some(error.context(format!("the task {name:?} failed"))),
            Some(Err(panic)) => Some(anyhow::anyhow!("a task died: {panic}")),
        };
        match failure {
            Some(failure) if cause.is_ok() => cause = Err(failure),
            Some(failure) => tracing::error!(error = %failure, "another task failed"),
            None => {}
        }
        stop.cancel();
        deadline.get_or_insert_with(|| tokio::time::Instant::now() + Duration::from_secs(GRACE_SECONDS_MAX));
    }
}

async fn summary(shared: &Shared, connection: &mut Connection, began: Instant) -> anyhow::Result<Summary> {
    let ended = lock(&shared.tally.ended).clone();
    let count = |outcome| ended.get(&outcome).copied().unwrap_or_default();
    let waiting = u64::try_from(connection.waiting_of(shared.run.id).await?).unwrap_or_default();
    let statistics = connection.statistics().await?;
    let released = *lock(&shared.tally.released);
    // What waited and waits no more was applied, or turned out to be dead.
    let ended_later = count(Outcome::Waiting).saturating_sub(waiting);
    let died_later = released.dead_letters_of_run.min(ended_later);
    Ok(Summary {
        received: ended.values().sum(),
        applied: count(Outcome::Applied) + ended_later - died_later,
        duplicates: count(Outcome::Duplicate),
        waiting,
        unrouted: count(Outcome::Unrouted),
        dead_letters: count(Outcome::DeadLetter) + died_later,
        own: count(Outcome::Own),
        released: released.applied,
        waiting_total: u64::try_from(statistics.waiting).unwrap_or_default(),
        fed: shared.tally.fed.load(Ordering::Relaxed),
        seconds: began.elapsed().as_secs_f64(),
    })
}
