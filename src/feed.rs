//! What is carried into ClickHouse: stored events as rows, sealed range by range.

pub mod block;
pub mod frame;
pub mod layout;
pub mod row;

use bytes::Bytes;

pub use frame::Frame;
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
    /// The rows, as one block in one compressed frame, until they are fed.
    pub body: Bytes,
}

impl Range {
    /// A range of these rows.
    #[must_use]
    pub fn of(generation: i32, first: i64, last: i64, body: Body) -> Self {
        let (events, hash) = (body.events, body.hash);
        let block = block::block(body.columns, usize::try_from(events).unwrap_or_default());
        Self { generation, first, last, events, hash, body: Frame::of(&block).into_bytes() }
    }

    /// The frame that is sent.
    ///
    /// # Errors
    /// When the bytes are not what was sealed.
    pub fn rows(&self) -> Result<Frame, String> {
        Frame::made(self.body.clone()).ok_or_else(|| "it is no frame".to_owned())
    }

    /// Names the insert of this range: a repeat is recognised by it, whatever it contains.
    #[must_use]
    pub fn token(&self, table: &str) -> String {
        format!("{table}|{}|{}|{}", self.generation, self.first, self.last)
    }
}
