//! Timers: people whose flags change now, although nothing happens.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Error, Unit};

impl Unit<'_> {
    /// People whose timers are due, the longest due first, locked. Those whom somebody else has locked are left to
    /// them: waiting for nobody, this needs no order of keys.
    pub(crate) async fn due(&mut self, now: DateTime<Utc>, limit: i64) -> Result<BTreeSet<Uuid>, Error> {
        let Some(entity) = self.person_entity() else {
            return Ok(BTreeSet::new());
        };
        let sql = format!(
            "select timers.user_id from journey_timers as timers join {table} as person on person.{column} = timers.user_id
             where timers.due_at <= $1 order by timers.due_at limit $2 for no key update of person skip locked",
            table = entity.table,
            column = entity.column
        );
        let due: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(now)
            .bind(limit)
            .fetch_all(&mut *self.pg)
            .await
            .map_err(|error| Error::classify("look for due timers", error))?;
        Ok(due.into_iter().collect())
    }
}
