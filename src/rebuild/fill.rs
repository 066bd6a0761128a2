//! Filling a generation with the effects of stored events, by several connections at once.
//!
//! Effects are order-free, so parts go to whoever is free. An event whose reference is still on its way in another part
//! is held, and tried again when the parts are done, as long as that moves any.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use tokio::task::JoinSet;

use crate::batch::Ledger;
use crate::pipeline::project_all;
use crate::retry::Pause;
use crate::store::rebuild::{Filled, Generation, Part};
use crate::store::{Connection, Error, NO_SUCH_ROW, Store, TRANSACTION_SECONDS_MAX, within};

/// Positions in a part: events that are committed together.
const PART_POSITIONS: i64 = 1000;
/// Held events that are tried together.
const HELD_MAX: usize = 1000;
/// Tries of a part before its halves are tried, or an event is set aside.
const TRIES_MAX: usize = 4;

/// What is left to do, shared by those who do it.
type Queue = Arc<Mutex<VecDeque<Part>>>;

/// Fills up to a position: by `workers` connections of their own, or by this one where there are none.
pub(super) async fn fill(
    store: &Store,
    connection: &mut Connection,
    generation: &Generation,
    up_to: i64,
    workers: usize,
    tell: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Filled, Error> {
    let parts = connection.missing_parts(up_to, PART_POSITIONS).await?;
    let mut total = work(store, connection, generation, parts, workers, tell.clone()).await?;
    let mut held = connection.held_back().await?;
    while !held.is_empty() {
        let parts = held.chunks(HELD_MAX).map(|some| Part::Held(some.to_vec())).collect();
        let tried = work(store, connection, generation, parts, workers, tell.clone()).await?;
        total.applied += tried.applied;
        let before = held.len();
        held = connection.held_back().await?;
        if held.len() >= before {
            break;
        }
    }
    total.held = held.len() as u64;
    Ok(total)
}

async fn work(
    store: &Store,
    connection: &mut Connection,
    generation: &Generation,
    parts: Vec<Part>,
    workers: usize,
    tell: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Filled, Error> {
    let workers = workers.min(parts.len());
    let queue: Queue = Arc::new(Mutex::new(parts.into()));
    if workers == 0 {
        return empty(connection, generation, &queue, tell).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let (store, generation, queue, tell) = (store.clone(), generation.clone(), Arc::clone(&queue), tell.clone());
        tasks.spawn(async move {
            let mut connection = store.connect_building(generation.schema).await?;
            empty(&mut connection, &generation, &queue, tell).await
        });
    }
    let mut total = Filled::default();
    while let Some(ended) = tasks.join_next().await {
        total += ended.map_err(|died| Error::fault(format!("a task that fills tables died: {died}")))??;
    }
    Ok(total)
}

/// Takes parts until none is left.
async fn empty(
    connection: &mut Connection,
    generation: &Generation,
    queue: &Queue,
    tell: impl Fn(u64),
) -> Result<Filled, Error> {
    let mut total = Filled::default();
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(part) = next() {
        let filled = fill_or_bisect(connection, generation, part).await?;
        total += filled;
        tell(filled.applied);
    }
    Ok(total)
}

/// As the pipeline does with a batch: an event that the database refuses is found by halves, and set aside.
async fn fill_or_bisect(connection: &mut Connection, generation: &Generation, part: Part) -> Result<Filled, Error> {
    let mut total = Filled::default();
    let mut todo = vec![part];
    let (mut pause, mut tries) = (Pause::default(), 0);
    while let Some(part) = todo.pop() {
        let filling = Box::pin(fill_part(connection, generation, &part));
        match within(TRANSACTION_SECONDS_MAX, "filling tables", filling).await {
            Ok(filled) => {
                total += filled;
                (pause, tries) = (Pause::default(), 0);
            }
            Err(Error::Contended { .. }) if tries < TRIES_MAX => {
                connection.rollback().await?;
                tokio::time::sleep(pause.longer()).await;
                tries += 1;
                todo.push(part);
            }
            // The row may be another part's, or never come: not to be found out by trying on, maybe while all batches wait.
            Err(Error::Contended { sqlstate }) => {
                connection.rollback().await?;
                (pause, tries) = (Pause::default(), 0);
                match part.clone().halves() {
                    Some([front, back]) => todo.extend([back, front]),
                    None if sqlstate == NO_SUCH_ROW => {
                        connection.set_aside(generation, &part).await?;
                        total.held += 1;
                    }
                    None => return Err(Error::Contended { sqlstate }),
                }
            }
            Err(Error::Content { sqlstate, message }) => {
                connection.rollback().await?;
                match part.clone().halves() {
                    Some([front, back]) => todo.extend([back, front]),
                    None => {
                        let why = format!("SQLSTATE {sqlstate}: {message}");
                        connection.refused(generation, &part, &why).await?;
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

async fn fill_part(connection: &mut Connection, generation: &Generation, part: &Part) -> Result<Filled, Error> {
    let mut unit = connection.begin().await?;
    if unit.rules.applying.is_some() || unit.rules.applied.epoch != generation.epoch {
        return Err(Error::fault(
            "other rules were applied, or are being applied\n  hint: finish `milepost rules apply`, then rebuild anew"
                .into(),
        ));
    }
    let portion = unit.portion(part).await?;
    let mut ledger = Ledger::open(&portion.batch);
    project_all(&mut unit, &portion.batch, &mut ledger, Utc::now).await?;
    let filled = unit.book(generation, part, &portion, &ledger).await?;
    unit.commit().await?;
    Ok(filled)
}
