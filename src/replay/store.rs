//! History from the event store: events that were stored without effect, and have a contract by now.
//!
//! Everything in the store has been taken. What has had its effect, or waits for something, is read and left as it is: to
//! make tables anew there is `milepost rebuild`. What remains are events that had no contract when they came.

use super::effect::Effect;
use super::{Page, Reached};
use crate::replay::selection::Selection;

/// Stored events read at a time.
const LINES_MAX: i64 = 1000;

/// The store, page by page, up to where it ended at the beginning.
pub(super) struct Reader {
    selection: Selection,
    reached: Reached,
    pub(super) last: u64,
}

impl Reader {
    /// Begins where an earlier replay was.
    pub(super) async fn begin(effect: &mut Effect, reached: Reached, selection: Selection) -> anyhow::Result<Self> {
        let last = effect.persist(async |connection| connection.last_position().await).await?;
        Ok(Self { selection, reached, last: u64::try_from(last).unwrap_or_default() })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self, effect: &mut Effect) -> anyhow::Result<Option<Page>> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let span = (number(self.reached.position), number(self.last));
        let with_payload = self.selection.user.is_some();
        let reading =
            async |connection: &mut crate::store::Connection| connection.lines(span, LINES_MAX, with_payload).await;
        let mut lines = effect.persist(reading).await?;
        let Some(last) = lines.last() else {
            return Ok(None);
        };
        self.reached.position = u64::try_from(last.position).unwrap_or_default();
        let read = lines.len() as u64;
        lines.retain(|line| self.selection.takes_stored(&line.event_type, line.timestamp, line.payload.as_deref()));
        let skipped = read - lines.len() as u64;
        Ok(Some(Page { lines, read, skipped, reached: self.reached, ..Page::default() }))
    }
}
