//! What is carried into ClickHouse: stored events as rows, sealed range by range.

pub mod document;
pub mod layout;
pub mod row;

use bytes::Bytes;

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
    /// The same as they are sent, where they were not read back.
    pub text: Option<Bytes>,
}

impl Range {
    /// A range of these rows.
    #[must_use]
    pub fn of(generation: i32, first: i64, last: i64, body: Body) -> Self {
        let compressed = lz4_flex::compress_prepend_size(&body.text).into();
        let (events, hash) = (body.events, body.hash);
        Self { generation, first, last, events, hash, body: compressed, text: Some(body.text.into()) }
    }

    fn text(&self) -> Result<Bytes, String> {
        if let Some(text) = &self.text {
            return Ok(text.clone());
        }
        lz4_flex::decompress_size_prepended(&self.body).map(Bytes::from).map_err(|error| error.to_string())
    }

    /// The columns of the rows, and the rows as they are sent.
    ///
    /// # Errors
    /// When the bytes are not what was sealed.
    pub fn rows(&self) -> Result<(Vec<String>, Bytes), String> {
        let text = self.text()?;
        let end = text.iter().position(|byte| *byte == b'\n').ok_or("it names no columns")?;
        let names = std::str::from_utf8(&text[..end]).map_err(|error| error.to_string())?;
        Ok((names.split('\t').map(str::to_owned).collect(), text.slice(end + 1..)))
    }

    /// Names the insert of this range: a repeat is recognised by it, whatever it contains.
    #[must_use]
    pub fn token(&self, table: &str) -> String {
        format!("{table}|{}|{}|{}", self.generation, self.first, self.last)
    }
}
