//! Bringing everybody to the rules on disk. Can be interrupted anywhere and goes on where it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use uuid::Uuid;

use super::{EVENTS_MAX, Lacking, PEOPLE_MAX};
use crate::journey::Journey;
use crate::journey::standing::{Standing, Update};
use crate::store::applying::Begun;
use crate::store::{Connection, Error};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// The number of the rule set.
    pub epoch: i64,
    /// Stored events that were folded.
    pub events: usize,
    /// Stored events that no longer fit their contract, and were left out.
    pub unreadable: usize,
    /// People who were brought to the rules.
    pub people: usize,
    /// Of these, people of whom the rules now say something else.
    pub changed: usize,
}

/// Why the rules could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
    /// Other rules come first.
    #[error(
        "other rules are being applied (epoch {0}), and were interrupted\n  \
         hint: run `milepost rules apply` with their stream folder first; journey_rules.source has the file"
    )]
    Others(i64),
}

/// Applies the rules of the connection's domain. `tell` hears how far it is. `None`: they are in force already.
///
/// # Errors
/// What was done until then stays done; applying again goes on.
pub async fn apply(connection: &mut Connection, tell: impl Fn(&Applied)) -> Result<Option<Applied>, ApplyError> {
    let journey = Arc::clone(&connection.domain().journey);
    let epoch = match connection.begin_applying(&journey).await? {
        Begun::InForce => return Ok(None),
        Begun::Others(epoch) => return Err(ApplyError::Others(epoch)),
        Begun::Applying(epoch) => epoch,
    };
    let mut done = Applied { epoch, ..Applied::default() };
    let lacking = lacking(connection, &journey).await?;
    while !lacking.is_empty() && !fold_some(connection, epoch, &lacking, &mut done).await? {
        tell(&done);
    }
    loop {
        let mut after = Uuid::nil();
        while let Some(last) = bring_over_some(connection, epoch, &lacking, after, &mut done).await? {
            after = last;
            tell(&done);
        }
        // Whoever got their first facts meanwhile, behind us, is still to be brought over.
        if connection.finish_applying(epoch).await? {
            return Ok(Some(done));
        }
    }
}

async fn lacking(connection: &mut Connection, journey: &Journey) -> Result<Lacking, Error> {
    let unit = connection.begin().await?;
    let lacking = Lacking::between(&unit.rules.applied.journey, journey);
    unit.commit().await?;
    Ok(lacking)
}

/// Folds some of the events up to the separator; true when there are no more.
async fn fold_some(
    connection: &mut Connection,
    epoch: i64,
    lacking: &Lacking,
    done: &mut Applied,
) -> Result<bool, Error> {
    let mut unit = connection.begin().await?;
    let progress = unit.applying_progress(epoch).await?;
    let range = (progress.scanned_to, progress.separator);
    let chapter = unit.chapter(range, &lacking.types, epoch, EVENTS_MAX).await?;
    let words = lacking.words(&mut unit, &chapter).await?;
    unit.stage(&lacking.journey, &words).await?;
    unit.scanned(epoch, chapter.last.unwrap_or(progress.separator)).await?;
    unit.commit().await?;
    done.events += chapter.batch.messages.len();
    done.unreadable += chapter.unreadable;
    Ok(chapter.last.is_none())
}

/// Brings some people to the new rules, in one transaction; returns the last of them.
async fn bring_over_some(
    connection: &mut Connection,
    epoch: i64,
    lacking: &Lacking,
    after: Uuid,
    done: &mut Applied,
) -> Result<Option<Uuid>, Error> {
    let journey = Arc::clone(&connection.domain().journey);
    let mut unit = connection.begin().await?;
    let people = unit.not_yet_at(epoch, after, PEOPLE_MAX).await?;
    let last = people.last().copied();
    let people: BTreeSet<Uuid> = unit.lock_people(&people).await?;
    let mut standings = unit.load(&people).await?;
    let mut staged = unit.staged(&people).await?;
    let source = unit.domain.own_source.clone();
    let now = Utc::now().timestamp_micros();
    let mut updates: Vec<Update> = Vec::with_capacity(people.len());
    for person in &people {
        let standing = standings.remove(person).unwrap_or_default();
        if standing.epoch == epoch {
            continue;
        }
        let folded = [staged.remove(person).unwrap_or_default(), standing.pending];
        let facts = lacking.brought_over(&journey, standing.facts, folded);
        let standing = Standing { epoch, facts, pending: [].into(), ..standing };
        updates.push(standing.evaluate(&journey, &source, *person, now));
    }
    unit.save(&updates).await?;
    unit.unstage(&people.iter().copied().collect::<Vec<_>>()).await?;
    unit.commit().await?;
    done.people += updates.len();
    done.changed += updates.iter().filter(|update| update.before != update.after.verdict).count();
    Ok(last)
}
