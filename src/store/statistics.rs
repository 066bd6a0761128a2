//! Counts for gauges and readiness: cheap enough to be asked every second.

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// How much waits and how much is dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub struct Statistics {
    /// Events held back.
    pub waiting: i64,
    /// Messages in open dead letters; one that only a replay met counts as one.
    pub dead_letters: i64,
    /// Timers that are due and were not fired.
    pub timers_due: i64,
    /// Seconds since the longest due timer was due.
    pub timers_late_seconds: f64,
    /// Events of our own that are to be published.
    pub unpublished: i64,
    /// Seconds since the oldest of them was written.
    pub unpublished_seconds: f64,
}

impl Connection {
    /// Counts what waits, what is dead, what is due and what is to be published.
    pub(crate) async fn statistics(&mut self) -> Result<Statistics, Error> {
        let counting = sqlx::query_as(
            "select (select count(distinct position) from waiting_events) as waiting,
                    (select coalesce(sum(greatest(count, is_replayed::int)), 0)::int8 from dead_letters where resolution is null)
                        as dead_letters,
                    due.count as timers_due, due.late as timers_late_seconds,
                    unpublished.count as unpublished, unpublished.late as unpublished_seconds
             from (select count(*), coalesce(extract(epoch from now() - min(due_at)), 0)::float8 as late
                   from journey_timers where due_at <= now()) as due,
                  (select count(*), coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as late
                   from outbox where published_at is null) as unpublished",
        )
        .fetch_one(&mut self.pg);
        let counted = async { counting.await.map_err(|error| Error::classify("count what waits", error)) };
        within(ANSWER_SECONDS_MAX, "counting what waits", counted).await
    }
}
