//! Bringing everybody to the rules on disk. Can be interrupted anywhere and goes on where it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use super::{EVENTS_MAX, Lacking, PEOPLE_MAX};
use crate::journey::Journey;
use crate::journey::fold::Word;
use crate::journey::standing::{Standing, Update};
use crate::store::applying::Begun;
use crate::store::audit_logs::{Change, Operator};
use crate::store::{Connection, Error, Unit};

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

/// What came of applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The rules were in force already.
    InForce,
    /// They were, and others that were being applied are given up.
    GivenUp(i64),
    /// Others come first, under this epoch: people have been brought to them already.
    Others(i64),
    /// They are in force now.
    Applied(Applied),
}

/// Applies the rules of the connection's domain. `tell` hears how far it is.
///
/// # Errors
/// What was done until then stays done; applying again goes on.
pub async fn apply(
    connection: &mut Connection,
    operator: &Operator,
    tell: impl Fn(&Applied),
) -> Result<Outcome, Error> {
    let journey = Arc::clone(&connection.domain().journey);
    // What fails on the first events is found before anything is written.
    rehearse(connection, &journey).await?;
    if !lacking(connection, &journey).await?.is_empty() {
        connection.verify_whole().await?;
    }
    let epoch = match connection.begin_applying(operator, &journey).await? {
        Begun::InForce => return Ok(Outcome::InForce),
        Begun::GivenUp(epoch) => return Ok(Outcome::GivenUp(epoch)),
        Begun::Others(epoch) => return Ok(Outcome::Others(epoch)),
        Begun::Applying(epoch) => epoch,
    };
    let mut done = Applied { epoch, ..Applied::default() };
    let lacking = lacking(connection, &journey).await?;
    let mut is_folded = lacking.is_empty();
    while !is_folded {
        is_folded = match fold_some(connection, epoch, &lacking, &mut done).await {
            Err(Error::Contended { .. }) => connection.rollback().await.map(|()| false)?,
            ended => ended?,
        };
        tell(&done);
    }
    let mut after = Some(Uuid::nil());
    while let Some(from) = after {
        after = match bring_over_some(connection, epoch, &lacking, from, &mut done).await {
            Err(Error::Contended { .. }) => connection.rollback().await.map(|()| after)?,
            ended => ended?,
        };
        tell(&done);
    }
    loop {
        match finish(connection, operator, &lacking, &mut done).await {
            Err(Error::Contended { .. }) => connection.rollback().await?,
            Err(error) => return Err(error),
            Ok(()) => return Ok(Outcome::Applied(done)),
        }
    }
}

/// Runs every signal on some stored events, and writes nothing.
async fn rehearse(connection: &mut Connection, journey: &Journey) -> Result<(), Error> {
    let all = Lacking::between(&Journey::default(), journey);
    let mut unit = connection.begin_snapshot().await?;
    let chapter = unit.chapter((-1, i64::MAX), &all.types, 0, EVENTS_MAX).await?;
    all.words(&mut unit, &chapter).await?;
    unit.commit().await
}

async fn lacking(connection: &mut Connection, journey: &Journey) -> Result<Lacking, Error> {
    let unit = connection.begin().await?;
    let lacking = Lacking::between(&unit.rules.applied.journey, journey);
    unit.commit().await?;
    Ok(lacking)
}

/// Whoever got their first facts meanwhile is brought over while nobody else's transaction runs; then the rules are
/// in force.
async fn finish(
    connection: &mut Connection,
    operator: &Operator,
    lacking: &Lacking,
    done: &mut Applied,
) -> Result<(), Error> {
    let epoch = done.epoch;
    let mut unit = connection.begin_finish().await?;
    let mut late = *done;
    while bring_over(&mut unit, epoch, lacking, Uuid::nil(), &mut late).await?.is_some() {}
    unit.put_in_force(epoch).await?;
    let Applied { events, unreadable, people, changed, .. } = late;
    let details = json!({"epoch": epoch, "events": events, "unreadable": unreadable, "people": people,
                         "changed": changed});
    unit.audit(operator, &Change::of("rules.apply", "journey_rules", details)).await?;
    unit.commit().await?;
    *done = late;
    Ok(())
}

/// Somebody else may have given these rules up, or brought them to their end. The transaction knows, and nothing can
/// change before its own end.
fn still_applying(unit: &Unit<'_>, epoch: i64) -> Result<(), Error> {
    match &unit.rules.applying {
        Some(rules) if rules.epoch == epoch => Ok(()),
        _ => Err(Error::fault(format!(
            "the rules of epoch {epoch} are not being applied any more: somebody else ended that\n  \
             hint: run `milepost rules apply` again"
        ))),
    }
}

/// Folds some of the events up to the separator; true when there are no more.
async fn fold_some(
    connection: &mut Connection,
    epoch: i64,
    lacking: &Lacking,
    done: &mut Applied,
) -> Result<bool, Error> {
    let mut unit = connection.begin().await?;
    still_applying(&unit, epoch)?;
    let progress = unit.applying_progress(epoch).await?;
    let range = (progress.scanned_to, progress.separator);
    let chapter = unit.chapter(range, &lacking.types, epoch, EVENTS_MAX).await?;
    let mut words = lacking.words(&mut unit, &chapter).await?;
    let mut people = unit.lock_people(&about(&words)).await?;
    if words.iter().any(|word| !people.contains(&word.person)) {
        // Somebody was given another id between the two: their rows name the new one now.
        words = lacking.words(&mut unit, &chapter).await?;
        people = unit.lock_people(&about(&words)).await?;
    }
    unit.stage(&lacking.journey, &words, &people).await?;
    unit.scanned(epoch, chapter.last.unwrap_or(progress.separator)).await?;
    unit.commit().await?;
    done.events += chapter.batch.messages.len();
    done.unreadable += chapter.unreadable;
    Ok(chapter.last.is_none())
}

/// Whom words are about.
fn about(words: &[Word]) -> Vec<Uuid> {
    let people: BTreeSet<Uuid> = words.iter().map(|word| word.person).collect();
    people.into_iter().collect()
}

/// Brings some people to the new rules, in one transaction; returns the last of them.
async fn bring_over_some(
    connection: &mut Connection,
    epoch: i64,
    lacking: &Lacking,
    after: Uuid,
    done: &mut Applied,
) -> Result<Option<Uuid>, Error> {
    let mut unit = connection.begin().await?;
    let mut so_far = *done;
    let last = bring_over(&mut unit, epoch, lacking, after, &mut so_far).await?;
    unit.commit().await?;
    *done = so_far;
    Ok(last)
}

async fn bring_over(
    unit: &mut Unit<'_>,
    epoch: i64,
    lacking: &Lacking,
    after: Uuid,
    done: &mut Applied,
) -> Result<Option<Uuid>, Error> {
    still_applying(unit, epoch)?;
    let journey = Arc::clone(&unit.domain.journey);
    let shows_elsewhere = unit.rules.applied.journey.summary_column != journey.summary_column;
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
        let standing = Standing { epoch, facts, pending: [].into(), is_changed: true, ..standing };
        let mut update = standing.evaluate(&journey, &source, *person, now);
        if shows_elsewhere {
            update.before.summary.clear(); // so that all of it is written there
        }
        updates.push(update);
    }
    unit.save(&updates).await?;
    unit.unstage(&people.iter().copied().collect::<Vec<_>>()).await?;
    done.people += updates.len();
    done.changed += updates.iter().filter(|update| update.before.tells_otherwise(&update.after.verdict)).count();
    Ok(last)
}
