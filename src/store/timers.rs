//! Timers: people whose flags change now, although nothing happens.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Unit};

impl Unit<'_> {
    /// People whose timers are due, the longest due first.
    pub(crate) async fn due(&mut self, now: DateTime<Utc>, limit: i64) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar("select user_id from journey_timers where due_at <= $1 order by due_at limit $2")
            .bind(now)
            .bind(limit)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look for due timers", error))
    }
}
