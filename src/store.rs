//! Postgres: the only module that speaks SQL to it.
//!
//! One worker owns one connection, not a pool's: a cancelled `begin` or a silently dead server costs a
//! connection, never a leaked transaction.

mod append;
pub mod applying;
pub mod archive;
mod audit;
pub mod audit_logs;
mod bind;
mod bury;
mod claim;
pub mod dead_letters;
mod decimal;
mod erased;
mod fed;
mod generations;
mod history;
mod hold;
mod horizon;
pub(crate) mod imports;
mod journey;
pub mod keys;
mod later;
mod lease;
pub mod life;
mod merged;
pub mod migrate;
mod mirrors;
pub mod outbox;
mod person;
mod project;
pub mod prove;
mod ranges;
pub(crate) mod rebuild;
mod record;
mod redrive;
mod replays;
mod retention;
pub mod rules;
pub mod schema;
pub mod statistics;
mod timers;
pub mod traces;
mod verdicts;
pub mod waiting;
pub mod waits;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};

use crate::batch::{Ledger, Telling};
use crate::domain::Domain;
use crate::privacy::keyring::KeyRing;

pub(crate) use history::{Chapter, Line};
pub(crate) use horizon::Horizon;
pub use journey::Clock;
pub(crate) use journey::Words;
pub(crate) use lease::{LEASE_SECONDS, Lease};
pub use person::Named;
pub use record::Incarnation;
pub(crate) use redrive::Letter;
pub(crate) use replays::Noted;
pub(crate) use retention::Claimed;

/// The longest that one transaction may take before its connection is given up.
pub const TRANSACTION_SECONDS_MAX: u64 = 60;
/// The longest that connecting, a begin, a rollback or a small look-up may take.
const ANSWER_SECONDS_MAX: u64 = 10;
/// The longest that a commit may take; after that it is in doubt.
const COMMIT_SECONDS_MAX: u64 = 30;
/// SQLSTATE of a foreign key whose row is not there.
pub(crate) const NO_SUCH_ROW: &str = "23503";
/// Prepared statements kept per connection; one domain has well under this many.
const STATEMENTS_MAX: usize = 1000;

/// Why something on Postgres failed, sorted by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refuses this content, whenever it is tried: a dead letter once it is isolated.
    #[error("the database refuses the content (SQLSTATE {sqlstate}): {message}")]
    Content {
        /// The five characters.
        sqlstate: String,
        /// What Postgres said, without the row's values.
        message: String,
    },
    /// Another transaction was in the way: try the whole batch again at once.
    #[error("another transaction was in the way (SQLSTATE {sqlstate})")]
    Contended {
        /// The five characters.
        sqlstate: String,
    },
    /// The database, or the way to it, has a problem: try again later, for ever.
    #[error("{attempted}")]
    Unavailable {
        /// What was attempted.
        attempted: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The commit was sent and no answer came: it is unknown whether the batch took effect. Trying again is safe.
    #[error("the answer to a commit was lost")]
    InDoubt {
        /// What the batch would have booked.
        ledger: Box<Ledger>,
        /// What was said instead of an answer.
        #[source]
        source: Box<Error>,
    },
    /// No answer within the deadline.
    #[error("no answer from Postgres within {seconds} s while {attempted}")]
    Silent {
        /// What was attempted.
        attempted: String,
        /// The deadline.
        seconds: u64,
    },
}

impl Error {
    /// A fault of the deployment, not of content: waited for like any other.
    pub(crate) fn fault(attempted: String) -> Self {
        Self::Unavailable { attempted, source: sqlx::Error::RowNotFound }
    }

    /// Whether it is such a fault: what it says is for people, and trying again does not help.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable { source: sqlx::Error::RowNotFound, .. })
    }

    /// Sorts a driver's error; the one place where SQLSTATEs are looked at.
    pub(crate) fn classify(attempted: &str, error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        match (code, error.as_database_error()) {
            (Some(sqlstate), Some(database)) if is_content(&sqlstate) => {
                Self::Content { message: format!("{} ({attempted})", without_values(database.message())), sqlstate }
            }
            (Some(sqlstate), _) if is_contention(&sqlstate) => Self::Contended { sqlstate },
            _ => Self::Unavailable { attempted: attempted.to_owned(), source: error },
        }
    }
}

/// What Postgres says of a value it cannot read ends with the value.
fn without_values(message: &str) -> &str {
    message.find(": \"").and_then(|end| message.get(..end)).unwrap_or(message)
}

/// Class 22 (data), not-null, unique and check violations, program limits: the content will never fit.
fn is_content(sqlstate: &str) -> bool {
    sqlstate.starts_with("22") || sqlstate.starts_with("54") || matches!(sqlstate, "23502" | "23505" | "23514")
}

/// Serialization failure, deadlock, lock timeout; and a foreign key whose row went away since it was looked up.
fn is_contention(sqlstate: &str) -> bool {
    matches!(sqlstate, "40001" | "40P01" | "55P03" | NO_SUCH_ROW)
}

/// What a store is about: where it is and which domain it holds.
#[derive(Debug, Clone)]
pub struct Store {
    options: PgConnectOptions,
    keys: Option<Arc<KeyRing>>,
    /// The domain whose tables these are.
    pub domain: Arc<Domain>,
}

/// One connection, owned by one worker.
#[derive(Debug)]
pub struct Connection {
    pg: PgConnection,
    domain: Arc<Domain>,
    keys: Option<Arc<KeyRing>>,
    known_months: BTreeSet<(i32, u32)>,
    months_refused_at: Option<Instant>,
    rules: Arc<rules::InForce>,
    is_building: bool,
}

/// One transaction. Dropped without a commit, its connection must not be used again.
#[derive(Debug)]
pub struct Unit<'c> {
    pub(crate) pg: &'c mut PgConnection,
    pub(crate) domain: Arc<Domain>,
    /// What unwraps the keys of subjects; without it, personal fields are stored as they come.
    pub(super) keys: Option<Arc<KeyRing>>,
    /// The rules in force, which cannot change before the end of the transaction.
    pub(crate) rules: Arc<rules::InForce>,
    /// Whether the outside is told what events change.
    pub(crate) telling: Telling,
    /// A generation of tables is being built: people are evaluated when all is there, and the outside is told nothing.
    pub(crate) is_building: bool,
}

impl Store {
    /// A store at this address.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn new(database_url: &str, domain: Arc<Domain>) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = database_url.parse()?;
        let options = options
            .application_name("milepost")
            .statement_cache_capacity(STATEMENTS_MAX)
            .options([
                ("timezone", "UTC"),
                ("jit", "off"),
                // A client that vanished without a word (power, network) gives back its locks within a minute.
                ("tcp_keepalives_idle", "20"),
                ("tcp_keepalives_interval", "10"),
                ("tcp_keepalives_count", "3"),
            ])
            .disable_statement_logging();
        Ok(Self { options, keys: None, domain })
    }

    /// The same store, with personal fields encrypted.
    #[must_use]
    pub fn with_keys(self, keys: Option<Arc<KeyRing>>) -> Self {
        Self { keys, ..self }
    }

    /// What unwraps the keys of subjects.
    #[must_use]
    pub fn keys(&self) -> Option<&KeyRing> {
        self.keys.as_deref()
    }

    /// Opens a connection for batches, with limits on how long a statement or an idle transaction may take.
    ///
    /// # Errors
    /// When Postgres cannot be reached in time.
    pub async fn connect(&self) -> Result<Connection, Error> {
        self.open(self.options.clone().options([
            ("statement_timeout", "55s"),
            ("idle_in_transaction_session_timeout", "90s"),
            // Every statement goes by key. Plans that were made while a table was small, and are kept with the
            // prepared statement, would read it whole for ever after.
            ("enable_seqscan", "off"),
        ]))
        .await
    }

    /// Opens a connection for operators' commands, which may read whole tables and take their time.
    ///
    /// # Errors
    /// When Postgres cannot be reached in time.
    pub async fn connect_unhurried(&self) -> Result<Connection, Error> {
        self.open(self.options.clone()).await
    }

    /// Opens a connection that fills a generation of tables: names mean its tables, and the live ones where it has none
    /// of that name. A commit that a crash of the server loses is lost with the whole rebuild.
    ///
    /// # Errors
    /// When Postgres cannot be reached in time.
    pub(crate) async fn connect_building(&self, schema: &str) -> Result<Connection, Error> {
        let path = format!("{schema},public");
        let options = [("search_path", path.as_str()), ("synchronous_commit", "off"), ("enable_seqscan", "off")];
        Ok(Connection { is_building: true, ..self.open(self.options.clone().options(options)).await? })
    }

    async fn open(&self, options: PgConnectOptions) -> Result<Connection, Error> {
        let opening = async {
            let opened = PgConnection::connect_with(&options).await;
            opened.map_err(|error| {
                Error::classify("cannot connect to Postgres\n  hint: is it running, and is DATABASE_URL right?", error)
            })
        };
        let pg = within(ANSWER_SECONDS_MAX, "connecting", opening).await?;
        let domain = Arc::clone(&self.domain);
        Ok(Connection {
            pg,
            domain,
            keys: self.keys.clone(),
            known_months: BTreeSet::new(),
            months_refused_at: None,
            rules: Arc::default(),
            is_building: false,
        })
    }
}

/// Gives up waiting for an answer after a while. The connection must then be thrown away: a server that has gone
/// silent sends no error, and the driver would wait for ever.
pub(crate) async fn within<T>(
    seconds: u64,
    attempted: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(Duration::from_secs(seconds), answer)
        .await
        .unwrap_or_else(|_| Err(Error::Silent { attempted: attempted.to_owned(), seconds }))
}

impl Connection {
    /// Ends what is left of a failed transaction.
    ///
    /// # Errors
    /// When the connection is broken; it must then be thrown away.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        within(ANSWER_SECONDS_MAX, "rollback", execute(&mut self.pg, "rollback")).await
    }

    /// The domain whose tables these are.
    #[must_use]
    pub fn domain(&self) -> Arc<Domain> {
        Arc::clone(&self.domain)
    }

    /// The bare connection, for statements outside of batches.
    pub fn pg(&mut self) -> &mut PgConnection {
        &mut self.pg
    }
}

impl Unit<'_> {
    /// The same transaction, whose events are told to the outside or not.
    pub(crate) fn telling(self, telling: Telling) -> Self {
        Self { telling, ..self }
    }

    /// Undoes everything.
    pub(crate) async fn roll_back(self) -> Result<(), Error> {
        within(ANSWER_SECONDS_MAX, "rollback", execute(self.pg, "rollback")).await
    }

    /// Commits. From here on the batch has had its effect; an error leaves open whether it has.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn commit(self) -> Result<(), Error> {
        within(COMMIT_SECONDS_MAX, "commit", execute(self.pg, "commit")).await
    }
}

async fn execute(pg: &mut PgConnection, sql: &'static str) -> Result<(), Error> {
    sqlx::raw_sql(sql).execute(pg).await.map(|_| ()).map_err(|error| Error::classify(sql, error))
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn what_the_database_could_not_read_is_not_repeated() {
        for (said, kept) in [
            ("invalid input syntax for type numeric: \"ada@example.org\"", "invalid input syntax for type numeric"),
            ("date/time field value out of range: \"a: \"b\"", "date/time field value out of range"),
            ("value too long for type character varying(10)", "value too long for type character varying(10)"),
        ] {
            assert_eq!(without_values(said), kept);
        }
    }
}
