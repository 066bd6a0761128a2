//! What ClickHouse holds of a range of positions.

use super::{Error, Sink, identifier};
use crate::feed::Layout;

/// Rows of a range, as ClickHouse counts and hashes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// How many.
    pub events: i64,
    /// As [`Layout::hash`] says.
    pub hash: u64,
}

impl Sink {
    /// Counts and hashes the rows of a range.
    ///
    /// # Errors
    /// When ClickHouse does not say.
    pub async fn content(&self, table: &str, layout: &Layout, first: i64, last: i64) -> Result<Content, Error> {
        let sql = format!(
            "select count(), {} from {} where position between {first} and {last}",
            layout.hash(),
            identifier(table)
        );
        let rows = self.rows(&sql, &CONSISTENT).await?;
        let number = |index: usize| rows.first()?.get(index)?.as_deref();
        let content =
            number(0).and_then(|events| events.parse().ok()).zip(number(1).and_then(|hash| hash.parse().ok()));
        let (events, hash) = content.ok_or_else(|| self.nonsense("count the rows of a range"))?;
        Ok(Content { events, hash })
    }
}

/// On a cluster, a replica must not answer before it has what was inserted at another.
pub(super) const CONSISTENT: [(&str, &str); 1] = [("select_sequential_consistency", "1")];
