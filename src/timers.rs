//! Timers: flags that begin or end by the mere passing of time.
//!
//! Each person has at most one timer, which says when a flag of theirs changes next if nothing happens. Firing one is
//! evaluating the rules anew; that also sets the next. So timers only decide how soon a change is seen, never what
//! is seen: events and timers evaluate the same facts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::store::{Connection, Error, TRANSACTION_SECONDS_MAX, Words, within};

/// Most people evaluated in one transaction.
const PEOPLE_MAX: i64 = 500;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fired {
    /// Timers that were due.
    pub due: u64,
    /// Timers that were fired; somebody else is at the others.
    pub fired: u64,
}

/// Fires some of the timers that are due at a moment, in one transaction. Any number of processes may do so at once:
/// each takes the people whom nobody else has locked.
///
/// # Errors
/// As the database says; nothing has happened then.
pub async fn fire(connection: &mut Connection, now: DateTime<Utc>) -> Result<Fired, Error> {
    within(TRANSACTION_SECONDS_MAX, "firing timers", Box::pin(fire_some(connection, now))).await
}

async fn fire_some(connection: &mut Connection, now: DateTime<Utc>) -> Result<Fired, Error> {
    let mut unit = connection.begin().await?;
    let due = unit.due(now, PEOPLE_MAX).await?;
    let people = match due.is_empty() {
        true => BTreeSet::new(),
        false => unit.lock_free(&due).await?,
    };
    let fired = people.len() as u64;
    unit.journey(Words::default(), people, now).await?;
    unit.commit().await?;
    Ok(Fired { due: due.len() as u64, fired })
}
