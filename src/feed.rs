//! What is carried into ClickHouse: stored events as rows, sealed range by range.

pub mod layout;
pub mod row;

use bytes::Bytes;

use crate::domain::Domain;

pub use layout::Layout;
pub use row::{Body, Known, Row, Stored};

/// Events in one range at most.
pub const RANGE_EVENTS_MAX: i64 = 50_000;
/// Bytes of rows in one range at most, but for its last events. Bounds what the feed holds in memory.
pub const RANGE_BYTES_MAX: usize = 32 << 20;

/// A sealed range of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Which generation of tables it is for.
    pub generation: i32,
    /// The position after the last one of the range before.
    pub first: i64,
    /// Its last position.
    pub last: i64,
    /// Events in it.
    pub events: i64,
    /// Their hash, as [`Layout::hash`] computes it.
    pub hash: u64,
    /// The rows, compressed, until they are fed.
    pub body: Bytes,
}

impl Range {
    /// A range of these rows.
    #[must_use]
    pub fn of(generation: i32, first: i64, last: i64, body: &Body) -> Self {
        let compressed = lz4_flex::compress_prepend_size(&body.text).into();
        Self { generation, first, last, events: body.events, hash: body.hash, body: compressed }
    }

    /// The rows as they are sent.
    ///
    /// # Errors
    /// When the bytes are not what was sealed.
    pub fn text(&self) -> Result<Bytes, String> {
        lz4_flex::decompress_size_prepended(&self.body).map(Bytes::from).map_err(|error| error.to_string())
    }

    /// Names the insert of this range: a repeat is recognised by it, whatever it contains.
    #[must_use]
    pub fn token(&self, table: &str) -> String {
        format!("{table}|{}|{}|{}", self.generation, self.first, self.last)
    }
}

/// Reads stored events as rows, one by one; what their people are known for is filled in afterwards.
#[must_use]
pub fn rows(domain: &Domain, stored: Vec<Stored>) -> Vec<Row> {
    stored.into_iter().map(|event| Row::of(domain, &domain.layout, event)).collect()
}
