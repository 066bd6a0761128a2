//! Carrying stored events into ClickHouse, each once: read, seal, insert, verify, mark.
//!
//! A range is sealed in Postgres before it is inserted, and what is inserted (and, after any fault, inserted again) are
//! the sealed bytes, under a name that ClickHouse remembers. It is marked only when ClickHouse, asked for this range,
//! counts as many rows and computes the same hash. So nothing has to be known about what became of an insert whose
//! answer was lost: it is looked up.

pub mod mirrors;
pub mod proof;
pub mod rebuild;
pub mod repair;
pub mod tenure;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::feed::{Body, RANGE_BYTES_MAX, RANGE_EVENTS_MAX, Range, Row};
use crate::sink::tables::AGGREGATED;
use crate::sink::{self, Sink};
use crate::store::{self, Connection, LEASE_SECONDS};

/// The table of raw events that everybody reads.
pub const RAW: &str = "events_raw";
/// Events read from the store at a time.
const PAGE_EVENTS: i64 = 5000;
/// The longest that an insert may take. Shorter than the lease: whoever takes over finds it ended.
pub const INSERT_SECONDS_MAX: u64 = 8;

/// The tables of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The generation that ranges are sealed for.
    pub generation: i32,
    /// The table of raw events.
    pub table: String,
    /// The table of their sums.
    pub aggregated: String,
}

impl Target {
    /// The tables that are read.
    ///
    /// # Errors
    /// As the database says.
    pub async fn current(connection: &mut Connection) -> Result<Self, store::Error> {
        Ok(Self {
            generation: connection.current_generation().await?,
            table: RAW.to_owned(),
            aggregated: AGGREGATED.to_owned(),
        })
    }
}

/// Why carrying failed; either way it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// ClickHouse.
    #[error(transparent)]
    Sink(#[from] sink::Error),
    /// Our lease is too near to its end to begin an insert.
    #[error("the lease of the feed ends too soon to insert now")]
    NoTime,
    /// The lease is another's, or the range was sealed by another.
    #[error("another process feeds now")]
    Elsewhere,
    /// Somebody else builds a generation, or exchanges one.
    #[error(
        "another process is rebuilding now\n  hint: a rebuild that was killed is gone on with after {LEASE_SECONDS} s"
    )]
    Rebuilding,
    /// What ClickHouse holds of a range is not what was sealed.
    #[error(
        "ClickHouse holds {found_events} rows of positions {first} to {last} where {events} were sealed, or others\n  \
         hint: `milepost prove --repair` replaces them"
    )]
    Differs {
        /// The range.
        first: i64,
        /// The range.
        last: i64,
        /// Events sealed.
        events: i64,
        /// Rows found.
        found_events: i64,
    },
    /// Rows of a mirrored table did not arrive.
    #[error("ClickHouse holds {found} of {rows} changed rows of {table} that were inserted")]
    Missing {
        /// The table.
        table: String,
        /// Rows inserted.
        rows: i64,
        /// Rows found.
        found: i64,
    },
    /// The tables in ClickHouse are not those of this version.
    #[error("{0}")]
    Version(String),
    /// The sealed bytes cannot be read back.
    #[error("the sealed range from position {first} on cannot be read: {cause}")]
    Unreadable {
        /// The range.
        first: i64,
        /// What is wrong with it.
        cause: String,
    },
}

impl Error {
    /// The label in metrics.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Store(_) => "postgres",
            Self::Sink(sink::Error::Busy { .. }) => "busy",
            Self::Sink(sink::Error::Unavailable { .. }) => "unavailable",
            Self::Sink(sink::Error::Silent { .. }) => "silent",
            Self::Sink(sink::Error::Fault { .. }) | Self::Version(_) => "fault",
            Self::Differs { .. } | Self::Missing { .. } | Self::Unreadable { .. } => "differs",
            Self::NoTime | Self::Elsewhere | Self::Rebuilding => "lease",
        }
    }
}

/// Seals the next range of settled events, if there are any.
///
/// # Errors
/// As the database says; [`Error::Elsewhere`] when somebody else has taken over.
pub async fn seal_next(
    connection: &mut Connection,
    target: &Target,
    settled: i64,
    tenure: (&str, i64),
) -> Result<Option<Range>, Error> {
    let after = connection.last_sealed(target.generation).await?;
    let Some((last, body)) = read(connection, after, settled, RANGE_EVENTS_MAX).await? else {
        return Ok(None);
    };
    let range = tokio::task::block_in_place(|| Range::of(target.generation, after + 1, last, body));
    match connection.seal(&range, tenure).await? {
        true => Ok(Some(range)),
        false => Err(Error::Elsewhere),
    }
}

/// Reads stored events between two positions as rows, page by page, up to the limits of a range; gives the last
/// position. The next page is fetched while one is being read.
///
/// # Errors
/// As the database says.
pub async fn read(
    connection: &mut Connection,
    after: i64,
    up_to: i64,
    events_max: i64,
) -> Result<Option<(i64, Body)>, store::Error> {
    let domain = connection.domain();
    let (mut body, mut last) = (Body::of(&domain.layout), after);
    let mut page = connection.stored(after, up_to, (PAGE_EVENTS.min(events_max), RANGE_BYTES_MAX)).await?;
    let (mut events, mut bytes) = (0, 0);
    while let Some(newest) = page.last().map(|event| event.position) {
        last = newest;
        events += i64::try_from(page.len()).unwrap_or(i64::MAX);
        bytes += page.iter().map(|event| event.payload.len()).sum::<usize>();
        let reader = Arc::clone(&domain);
        let reading = tokio::task::spawn_blocking(move || -> Vec<Row> {
            page.into_iter().map(|event| Row::of(&reader, &reader.layout, event)).collect()
        });
        let limits = (PAGE_EVENTS.min(events_max - events), RANGE_BYTES_MAX.saturating_sub(bytes));
        page = match limits.0 > 0 && limits.1 > 0 {
            true => connection.stored(last, up_to, limits).await?,
            false => Vec::new(),
        };
        let mut rows = reading.await.map_err(|panic| store::Error::fault(format!("read events: {panic}")))?;
        let people: BTreeSet<Uuid> = rows.iter().filter(|row| row.is_open()).filter_map(|row| row.user_id).collect();
        let known = connection.known_of(&people.into_iter().collect::<Vec<_>>()).await?;
        tokio::task::block_in_place(|| {
            for row in &mut rows {
                row.complete(&known);
                row.write(&domain.layout, &mut body);
            }
        });
    }
    Ok((body.events > 0).then_some((last, body)))
}

/// Brings a sealed range into ClickHouse and marks it. Of one that may have been tried before, it looks first whether it
/// is there; and because an insert may have ended between the table and the view behind it, it then sees to the sums.
///
/// # Errors
/// When it is not known to be there; trying again, by whomever, is safe.
pub async fn carry(
    connection: &mut Connection,
    sink: &Sink,
    target: &Target,
    range: &Range,
    is_fresh: bool,
    until: Instant,
) -> Result<(), Error> {
    if is_fresh || !is_there(connection, sink, target, range).await? {
        insert(sink, target, range, until).await?;
        verify(connection, sink, target, range).await?;
    }
    if !is_fresh {
        repair::complete_sums(sink, target, (range.first, range.last)).await?;
    }
    connection.mark_fed(range).await?;
    Ok(())
}

/// One synchronous insert of the sealed bytes, ended before our lease is.
async fn insert(sink: &Sink, target: &Target, range: &Range, until: Instant) -> Result<(), Error> {
    let longest = Duration::from_secs(INSERT_SECONDS_MAX);
    let deadline = until.saturating_duration_since(Instant::now());
    if deadline < longest {
        return Err(Error::NoTime);
    }
    let rows = tokio::task::block_in_place(|| range.rows());
    let (columns, rows) = rows.map_err(|cause| Error::Unreadable { first: range.first, cause })?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let (token, seconds) = (range.token(&target.table), INSERT_SECONDS_MAX.to_string());
    // The server, too, gives up by then: also on a body that stopped coming because we were stopped.
    let settings =
        [("insert_deduplication_token", &*token), ("max_execution_time", &seconds), ("http_receive_timeout", &seconds)];
    let sink = sink.clone().with_deadline(longest);
    sink.insert(&target.table, &columns, "TabSeparated", rows, &settings).await?;
    Ok(())
}

/// Whether nothing is left to do for a range. An insert that failed may have left its rows and not their sums, because a
/// view failed or the server died between the two: then it has to be repeated, and its token keeps the rows from being
/// doubled.
async fn is_there(connection: &mut Connection, sink: &Sink, target: &Target, range: &Range) -> Result<bool, Error> {
    match verify(connection, sink, target, range).await {
        Ok(()) => Ok(sink.is_summed(&target.table, &target.aggregated, range.first, range.last).await?),
        Err(Error::Differs { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Compares count and hash of a range with what ClickHouse holds.
///
/// # Errors
/// [`Error::Differs`] when it holds something else, or nothing.
pub async fn verify(connection: &Connection, sink: &Sink, target: &Target, range: &Range) -> Result<(), Error> {
    let found = sink.content(&target.table, &connection.domain().layout, range.first, range.last).await?;
    if (found.events, found.hash) == (range.events, range.hash) {
        return Ok(());
    }
    let Range { first, last, events, .. } = *range;
    Err(Error::Differs { first, last, events, found_events: found.events })
}
