//! The flow: one batch, from the stream to the acknowledgement. Everything the service promises is the order of
//! the lines in [`process`].
//!
//! Guarantee: every message that the stream holds has exactly one effect, however often it is delivered, in
//! whatever order and batches, by however many workers. Claim, event store, projections, dead letters and the
//! accounting are one transaction; a message is acknowledged only after it was committed by this process.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::batch::{Batch, Ledger, Telling};
use crate::event::{Outcome, Reason};
use crate::store::{Clock, Connection, Error, Incarnation, TRANSACTION_SECONDS_MAX, Unit, Words, within};

/// What a run of the service is: its name for what it receives, and the stream it reads.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Made anew at each start.
    pub id: Uuid,
    /// The incarnation of the stream that its messages come from; `None` when they come from elsewhere.
    pub incarnation: Option<Incarnation>,
    /// Whether the outside is told what its events change.
    pub telling: Telling,
    /// It only looks what would become of the messages: every transaction is rolled back.
    pub is_rehearsal: bool,
}

/// One batch in one transaction, from claim to commit. Decoding came before, the acknowledgement comes after. The clock
/// is asked when flags are evaluated.
///
/// # Errors
/// Nothing has happened then, or (an error in the commit itself) it is unknown whether it has: trying again is safe.
pub async fn process(connection: &mut Connection, run: &Run, batch: &Batch, clock: Clock) -> Result<Ledger, Error> {
    if !run.is_rehearsal {
        connection.ensure_months(batch).await?;
    }
    let mut ledger = Ledger::open(batch);
    let mut unit = match connection.domain().erases_in(batch) {
        false => connection.begin().await?,
        true => connection.begin_alone().await?, // nothing is said of somebody while they are erased
    };
    unit = unit.telling(run.telling);
    unit.claim(batch, &mut ledger).await?; // each event id once
    unit.append(batch, &mut ledger).await?; // the store is unique by event on its own
    project_all(&mut unit, batch, &mut ledger, clock).await?; // what waits is held back, the rest has its effect
    unit.wait(batch, &ledger, run.id).await?;
    unit.bury(batch, &ledger).await?; // dead letters, with their raw bytes
    unit.record(batch, &mut ledger, run.incarnation).await?; // every sequence accounted for
    if run.is_rehearsal {
        return unit.roll_back().await.map(|()| ledger);
    }
    match unit.commit().await {
        Ok(()) => Ok(ledger), // the point of no return
        Err(error @ (Error::Content { .. } | Error::Contended { .. })) => Err(error),
        Err(error) => Err(Error::InDoubt { ledger: Box::new(ledger), source: Box::new(error) }),
    }
}

/// Level by level: what a level provides exists before the next one looks for it. What is derived from several
/// events, and the journeys of people, come last, because their rows are contended.
///
/// # Errors
/// As the database says.
pub async fn project_all(unit: &mut Unit<'_>, batch: &Batch, ledger: &mut Ledger, clock: Clock) -> Result<(), Error> {
    let domain = std::sync::Arc::clone(&unit.domain);
    for level in &domain.levels {
        let of_level: Vec<usize> = level.iter().flat_map(|contract| ledger.to_project(batch, *contract)).collect();
        unit.hold_back(batch, ledger, &of_level).await?;
        for contract in level {
            let ready = ledger.to_project(batch, *contract);
            if !ready.is_empty() {
                unit.project(batch, ledger, *contract, &ready).await?;
            }
        }
    }
    unit.touch_merged(ledger).await?;
    unit.lock(ledger).await?;
    let (words, people) = words_and_people(unit, batch, ledger).await?;
    unit.derive(ledger).await?;
    unit.journey(words, people, clock).await?; // facts, flags, milestones, timers, outbox
    unit.touch_later(ledger).await // what one process derives for all, after the commit
}

/// What the events say of people, and these people locked. Whoever was given another id between the two is found by
/// asking again.
async fn words_and_people(
    unit: &mut Unit<'_>,
    batch: &Batch,
    ledger: &mut Ledger,
) -> Result<(Words, BTreeSet<Uuid>), Error> {
    let mut words = unit.words(batch, ledger).await?;
    let mut people = unit.lock_touched_people(ledger, &words).await?;
    if !words.people().is_subset(&people) {
        ledger.renamed = unit.renamed(batch, &ledger.to_project_all(batch)).await?;
        words = unit.words(batch, ledger).await?;
        people = unit.lock_touched_people(ledger, &words).await?;
    }
    let about = words.people();
    people.retain(|person| about.contains(person));
    Ok((words, people))
}

/// Processes a batch; when the database refuses its content, finds the message that it refuses by halves, in fresh
/// transactions, and sets that one aside. A poison message harms only itself. What is committed goes to `done`, also
/// when a later part fails; each transaction has a deadline of its own.
///
/// # Errors
/// Everything but refused content.
pub async fn process_or_bisect(
    connection: &mut Connection,
    run: &Run,
    batch: &Batch,
    clock: Clock,
    done: &mut Vec<Ledger>,
) -> Result<(), Error> {
    match process_in_time(connection, run, batch, clock).await {
        Ok(ledger) => {
            done.push(ledger);
            return Ok(());
        }
        Err(Error::Content { .. }) => connection.rollback().await?,
        Err(error) => return Err(error),
    }
    let mut todo = vec![batch.clone()];
    while let Some(part) = todo.pop() {
        match process_in_time(connection, run, &part, clock).await {
            Ok(ledger) => done.push(ledger),
            Err(Error::Content { sqlstate, message }) => {
                connection.rollback().await?;
                if part.messages.len() > 1 {
                    let (front, back) = part.halves();
                    todo.extend([back, front]);
                } else {
                    tracing::debug!(sqlstate, message, "the database refuses an event");
                    todo.push(refuse(part, &sqlstate, &message)?);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn process_in_time(connection: &mut Connection, run: &Run, batch: &Batch, clock: Clock) -> Result<Ledger, Error> {
    within(TRANSACTION_SECONDS_MAX, "processing a batch", Box::pin(process(connection, run, batch, clock))).await
}

/// The only message of a batch becomes a dead letter. One that is a dead letter already cannot be refused for its
/// content: that would go round for ever, so it counts as the database's fault.
fn refuse(batch: Batch, sqlstate: &str, message: &str) -> Result<Batch, Error> {
    if batch.messages.iter().any(|message| message.content.is_err()) {
        return Err(Error::fault(format!("keeping a dead letter: SQLSTATE {sqlstate}: {message}")));
    }
    Ok(batch.rejected(Reason::Database, &format!("SQLSTATE {sqlstate}: {message}")))
}

/// How many messages ended in each way, each sequence counted once.
#[must_use]
pub fn totals(done: &[Ledger]) -> Vec<(Outcome, u64)> {
    let sum = |outcome| done.iter().filter_map(|ledger| ledger.recorded.get(&outcome)).sum();
    Outcome::ALL.into_iter().map(|outcome| (outcome, sum(outcome))).collect()
}
