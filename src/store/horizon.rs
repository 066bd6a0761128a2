//! Up to where a sequence is settled: nothing below can still become visible.
//!
//! Commits become visible in another order than that in which they drew their numbers. Whoever has drawn a number
//! up to the last one had a transaction id before; so once every transaction that had one then is over, everything
//! up to that number is there or never will be.

use sqlx::AssertSqlSafe;

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// How far a sequence is known to be settled.
#[derive(Debug, Clone)]
pub(crate) struct Horizon {
    sequence: String,
    settled: i64,
    /// A number that was drawn, and a transaction id that is larger than that of whoever drew one up to it.
    awaited: Option<(i64, i64)>,
}

impl Horizon {
    /// Nothing is known yet of this sequence.
    pub(crate) const fn of(sequence: String) -> Self {
        Self { sequence, settled: 0, awaited: None }
    }

    /// Looks again; everything up to the number that this returns is settled.
    pub(crate) async fn advance(&mut self, connection: &mut Connection) -> Result<i64, Error> {
        within(ANSWER_SECONDS_MAX, "looking how far a sequence is settled", self.look(connection)).await
    }

    async fn look(&mut self, connection: &mut Connection) -> Result<i64, Error> {
        if self.awaited.is_none() {
            let sql = format!("select last_value - (not is_called)::int from {}", self.sequence);
            let last = number(connection, &sql).await?;
            if last <= self.settled {
                return Ok(self.settled);
            }
            // Drawn in a transaction of its own, after the number was read: larger than all ids until then. (The end
            // of a snapshot would not do: transactions at and beyond it may be running.)
            self.awaited = Some((last, number(connection, "select pg_current_xact_id()::text::int8").await?));
        }
        if let Some((last, begun)) = self.awaited {
            let over = number(connection, "select pg_snapshot_xmin(pg_current_snapshot())::text::int8").await?;
            if over >= begun {
                self.settled = last;
                self.awaited = None;
            }
        }
        Ok(self.settled)
    }
}

async fn number(connection: &mut Connection, sql: &str) -> Result<i64, Error> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(&mut connection.pg)
        .await
        .map_err(|error| Error::classify("look how far a sequence is settled", error))
}
