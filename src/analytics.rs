//! Carrying stored events into ClickHouse, each once: read, seal, insert, verify, mark.
//!
//! A range is sealed in Postgres before it is inserted, and what is inserted (and, after any fault, inserted again) are
//! the sealed bytes, under a name that ClickHouse remembers. It is marked only when ClickHouse, asked for this range,
//! counts as many rows and computes the same hash. So nothing has to be known about what became of an insert whose
//! answer was lost: it is looked up.

mod carry;
pub mod mirrors;
pub mod proof;
pub mod rebuild;
pub mod repair;
pub mod tenure;

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::feed::{Body, RANGE_BYTES_MAX, RANGE_EVENTS_MAX, Range, Row};
use crate::sink::sums::AGGREGATED;
use crate::sink::{self, Sink};
use crate::store::{self, Connection, LEASE_SECONDS};

use tenure::Tenure;

/// The table of raw events that everybody reads.
pub const RAW: &str = "events_raw";
/// Events read from the store at a time.
const PAGE_EVENTS: i64 = 5000;

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

/// Who writes: where to, into which tables, and by what right.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'w> {
    /// ClickHouse.
    pub sink: &'w Sink,
    /// The tables.
    pub target: &'w Target,
    /// Our lease.
    pub tenure: &'w Tenure,
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
    #[error("another process feeds now, and did not let go in time\n  hint: try again; it may be replacing ranges")]
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

impl Writer<'_> {
    /// Seals the next range of settled events, if there are any.
    ///
    /// # Errors
    /// As the database says; [`Error::Elsewhere`] when somebody else has taken over.
    pub async fn seal_next(&self, connection: &mut Connection, settled: i64) -> Result<Option<Range>, Error> {
        let generation = self.target.generation;
        let after = connection.last_sealed(generation).await?;
        // Noted before it is read: what is read is as it is by now.
        let outdated = connection.outdated_between(after + 1, settled).await?;
        let Some((last, body)) = read(connection, after, settled, RANGE_EVENTS_MAX).await? else {
            return Ok(None);
        };
        let range = tokio::task::block_in_place(|| Range::of(generation, after + 1, last, body));
        match connection.seal(&range, &outdated, (self.tenure.name, self.tenure.epoch)).await? {
            true => Ok(Some(range)),
            false => Err(Error::Elsewhere),
        }
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
                row.write(&mut body);
            }
        });
    }
    Ok((body.events > 0).then_some((last, body)))
}
