//! Counts for gauges and readiness: cheap enough to be asked every second.

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// How much waits and how much is dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events held back.
    pub waiting: i64,
    /// Messages in open dead letters.
    pub dead_letters: i64,
}

impl Connection {
    /// Counts waiting events and open dead letters.
    pub(crate) async fn statistics(&mut self) -> Result<Statistics, Error> {
        let counting = sqlx::query_as(
            "select (select count(distinct position) from waiting_events),
                    (select coalesce(sum(count), 0)::int8 from dead_letters where resolution is null)",
        )
        .fetch_one(&mut self.pg);
        let counted = async { counting.await.map_err(|error| Error::classify("count what waits", error)) };
        let (waiting, dead_letters): (i64, i64) = within(ANSWER_SECONDS_MAX, "counting what waits", counted).await?;
        Ok(Statistics { waiting, dead_letters })
    }
}
