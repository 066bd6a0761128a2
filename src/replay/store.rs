//! History from the event store: events that were stored without effect, and have a contract by now.
//!
//! Everything in the store has been taken. What has had its effect, or waits for something, is read and left as it is: to
//! make tables anew there is `milepost rebuild`. What remains are events that had no contract when they came.

use std::time::Duration;

use tokio::time::Instant;

use super::effect::Effect;
use super::{Page, Reached};
use crate::replay::selection::Selection;
use crate::store::{Connection, Error};

/// For how long transactions that began before are waited for.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The store, page by page, up to where it ended at the beginning.
pub(super) struct Reader {
    selection: Selection,
    reached: Reached,
    pub(super) last: u64,
    lines_max: i64,
}

impl Reader {
    /// Begins where an earlier replay was, once nothing can be stored any more before the end of the store.
    pub(super) async fn begin(
        effect: &mut Effect,
        reached: Reached,
        selection: Selection,
        lines_max: usize,
    ) -> anyhow::Result<Self> {
        let settled = async |connection: &mut Connection| {
            let (began, last) = (Instant::now(), connection.last_position().await?);
            let mut horizon = connection.positions();
            while horizon.advance(connection).await? < last {
                if began.elapsed() > SETTLED_WITHIN {
                    let hint = "hint: look for it in pg_stat_activity, and begin again when it has ended";
                    return Err(Error::fault(format!("a transaction has been open for too long\n  {hint}")));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(last)
        };
        let last = u64::try_from(effect.persist(settled).await?).unwrap_or_default();
        Ok(Self { selection, reached, last, lines_max: i64::try_from(lines_max).unwrap_or(i64::MAX) })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self, effect: &mut Effect) -> anyhow::Result<Option<Page>> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let span = (number(self.reached.position), number(self.last));
        let (with_payload, lines_max) = (self.selection.user.is_some(), self.lines_max);
        let reading = async |connection: &mut Connection| connection.lines(span, lines_max, with_payload).await;
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
