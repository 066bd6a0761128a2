//! Rebuilding tables: a generation of them in a schema of its own, filled from the event store beside the live one.
//!
//! The SQL of the domain names tables without a schema. On a connection whose search path begins with the generation's
//! schema the same statements read and write the generation; what it has no table for (the event store, the rules, what
//! waits) is the live table.

mod compare;
mod evaluate;
mod fill;
mod make;
mod swap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::later::DERIVER_LOCK;
use super::rules::RULES_LOCK;
use super::{ANSWER_SECONDS_MAX, Connection, Error, execute, within};
use crate::projection::{Derivation, When};

pub use compare::{Difference, Row};
pub(crate) use evaluate::At;
pub(crate) use fill::{Filled, Part};
pub use fill::{Lack, Lacks};

/// The schema of a generation that is being built.
pub(crate) const NEXT: &str = "milepost_next";
/// The schema of the generation before, kept to go back to.
pub(crate) const PREVIOUS: &str = "milepost_previous";
/// Where live tables go while others are put in their place; gone at the end of that transaction.
const OUTGOING: &str = "milepost_outgoing";
/// Advisory lock of the one that rebuilds, held by its session.
const REBUILD_LOCK: i64 = 0x6d69_6c65_0020;
/// The longest that batches and readers are kept waiting for us to get a lock, before we let go and try again.
const LOCK_MILLISECONDS_MAX: u64 = 2000;

/// Tables that are filled together, and the account of what is in them.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    /// Where its tables are.
    pub(crate) schema: &'static str,
    /// Made anew with the tables: whoever fills others by the same name is found out.
    pub(crate) id: Uuid,
    /// The rules that its facts are kept by.
    pub(crate) epoch: i64,
    /// What was swapped, of a generation before.
    pub(crate) named: Vec<String>,
}

impl Connection {
    /// Whether this session is the one that rebuilds; it is until it ends. The session of one that was killed may take a
    /// moment to end.
    pub(crate) async fn may_rebuild(&mut self) -> Result<bool, Error> {
        match self.lock_for_session(REBUILD_LOCK, "ask to be the one that rebuilds").await {
            Ok(()) => Ok(true),
            Err(Error::Contended { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether nobody rebuilds, and nobody begins to before the end of this transaction.
    pub(crate) async fn no_rebuild(&mut self) -> Result<bool, Error> {
        let answer = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)").bind(REBUILD_LOCK);
        answer
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("ask whether tables are being rebuilt", error))
    }

    /// Waits for the batches in flight and keeps others from beginning, until [`Self::let_go`]. The lock is the session's:
    /// transactions of this connection go on, and what they commit is there when the others do.
    ///
    /// # Errors
    /// [`Error::Contended`] when a batch took too long; nobody is kept waiting then.
    pub(crate) async fn be_alone(&mut self) -> Result<(), Error> {
        self.lock_for_session(RULES_LOCK, "wait for the batches in flight").await
    }

    /// Waits for whoever derives what batches noted, and keeps others from it, until [`Self::let_go`].
    ///
    /// # Errors
    /// [`Error::Contended`] when it took too long.
    pub(crate) async fn be_alone_deriving(&mut self) -> Result<(), Error> {
        self.lock_for_session(DERIVER_LOCK, "wait for what is being derived").await
    }

    async fn lock_for_session(&mut self, lock: i64, what: &'static str) -> Result<(), Error> {
        // One implicit transaction: where it fails, the timeout is what it was.
        let sql = format!(
            "set lock_timeout = {LOCK_MILLISECONDS_MAX}; select pg_advisory_lock({lock}); set lock_timeout = 0"
        );
        let locking = async {
            let locked = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.pg).await;
            locked.map(|_| ()).map_err(|error| Error::classify(what, error))
        };
        within(ANSWER_SECONDS_MAX, what, locking).await
    }

    /// Lets the others go on. Asked within a transaction, too, it is at once.
    pub(crate) async fn let_go(&mut self) -> Result<(), Error> {
        // Unlocking what is not locked is a warning.
        let sql = format!(
            "select pg_advisory_unlock((classid::int8 << 32) | objid::int8) from pg_locks
             where locktype = 'advisory' and pid = pg_backend_pid() and mode = 'ExclusiveLock'
               and (classid::int8 << 32) | objid::int8 in ({RULES_LOCK}, {DERIVER_LOCK})"
        );
        let unlocking = async {
            let unlocked = sqlx::query(AssertSqlSafe(sql)).execute(&mut self.pg).await;
            unlocked.map(|_| ()).map_err(|error| Error::classify("let the batches go on", error))
        };
        within(ANSWER_SECONDS_MAX, "letting the batches go on", unlocking).await
    }

    /// The last position that was given out. All up to it is committed, or never will be, while nobody else is at it.
    pub(crate) async fn last_drawn(&mut self) -> Result<i64, Error> {
        let sql = format!("select last_value - (not is_called)::int from {}_position_seq", self.domain.event_log);
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for the last position", error))
    }

    /// Whether a generation's facts are by the rules in force, and none are being applied.
    pub(crate) async fn is_by_rules_in_force(&mut self, generation: &Generation) -> Result<bool, Error> {
        let rules = self.load_rules().await?;
        Ok(rules.applying.is_none() && rules.applied.epoch == generation.epoch)
    }

    /// Notes of batches that nobody has derived yet, in the live tables.
    pub(crate) async fn underived(&mut self) -> Result<i64, Error> {
        let later = |derivation: &&Derivation| derivation.when == When::Later;
        let names: Vec<String> = self.domain.derivations.iter().filter(later).map(|one| one.name.clone()).collect();
        sqlx::query_scalar("select count(*) from public.touched_later where name = any($1)")
            .bind(names)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count what is to be derived", error))
    }

    /// The generation in a schema, if there is one.
    pub(crate) async fn generation(&mut self, schema: &'static str) -> Result<Option<Generation>, Error> {
        let attempted = |error| Error::classify("look for a generation of tables", error);
        let is_there: bool = sqlx::query_scalar("select to_regclass($1 || '.rebuild_book') is not null")
            .bind(schema)
            .fetch_one(&mut self.pg)
            .await
            .map_err(attempted)?;
        if !is_there {
            return Ok(None);
        }
        let sql = format!("select id, epoch, named from {schema}.rebuild_book");
        let (id, epoch, named) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut self.pg).await.map_err(attempted)?;
        Ok(Some(Generation { schema, id, epoch, named }))
    }

    /// Tables that a generation lacks, or has beside these.
    pub(crate) async fn obstacles_of(
        &mut self,
        generation: &Generation,
        tables: &[&str],
    ) -> Result<Vec<String>, Error> {
        let sql = "select coalesce(relname::text, wanted.name) from unnest($2::text[]) as wanted (name)
             full join (select relname from pg_class where relnamespace = to_regnamespace($1) and relkind = 'r'
                            and relname not like 'rebuild\\_%' and relname <> 'outbox') as there
                 on there.relname = wanted.name
             where relname is null or wanted.name is null order by 1";
        sqlx::query_scalar(sql)
            .bind(generation.schema)
            .bind(tables)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look at the tables of a generation", error))
    }

    /// Drops a generation; `false`: there is none.
    pub(crate) async fn drop_generation(&mut self, schema: &'static str) -> Result<bool, Error> {
        let is_there: bool = sqlx::query_scalar("select to_regnamespace($1) is not null")
            .bind(schema)
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for a generation of tables", error))?;
        let sql = format!("drop schema if exists {schema} cascade");
        self.carry_out(&sql, "drop a generation of tables").await?;
        Ok(is_there)
    }

    /// Statistics of the generation's tables, for those who will read them.
    pub(crate) async fn analyze(&mut self, generation: &Generation, tables: &[&str]) -> Result<(), Error> {
        for table in tables {
            self.carry_out(&format!("analyze {}.{table}", generation.schema), "analyze a table").await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, sql: &str, what: &str) -> Result<(), Error> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.pg).await;
        done.map(|_| ()).map_err(|error| Error::classify(what, error))
    }

    async fn roll_back_quietly(&mut self) -> Result<(), Error> {
        execute(&mut self.pg, "rollback").await
    }
}
