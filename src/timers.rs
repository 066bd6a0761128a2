//! Timers: flags that begin or end by the mere passing of time.
//!
//! Each person has at most one timer, which says when a flag of theirs changes next if nothing happens. Firing one is
//! evaluating the rules anew; that also sets the next. So timers only decide how soon a change is seen, never what
//! is seen: events and timers evaluate the same facts.

use crate::store::{Clock, Connection, Error, TRANSACTION_SECONDS_MAX, Words, within};

/// Most people evaluated in one transaction.
const PEOPLE_MAX: i64 = 500;

/// Fires some of the timers that are due, in one transaction; returns how many. Any number of processes may do so at
/// once: each takes the people whom nobody else has locked.
///
/// # Errors
/// As the database says; nothing has happened then.
pub async fn fire(connection: &mut Connection, clock: Clock) -> Result<usize, Error> {
    within(TRANSACTION_SECONDS_MAX, "firing timers", Box::pin(fire_some(connection, clock))).await
}

async fn fire_some(connection: &mut Connection, clock: Clock) -> Result<usize, Error> {
    let mut unit = connection.begin().await?;
    let people = unit.due(clock(), PEOPLE_MAX).await?;
    let fired = people.len();
    unit.journey(Words::default(), people, clock).await?;
    unit.commit().await?;
    Ok(fired)
}
