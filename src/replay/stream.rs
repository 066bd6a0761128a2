//! History from the stream: what it holds and the service has behind it.

use anyhow::Context as _;

use super::{Page, Reached};
use crate::batch::Batch;
use crate::replay::selection::{Dated, Selection};
use crate::source::{FetchLimits, History, Source, Start};

/// Most payload bytes of one page.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The stream, page by page.
pub(super) struct Reader {
    history: Option<History>,
    selection: Selection,
    limits: FetchLimits,
    /// Last sequence before the beginning.
    pub(super) before: u64,
    last: u64,
}

impl Reader {
    /// Begins at a sequence or a time, or where an earlier replay was. What the durable consumer has not acknowledged
    /// up to now is left to the service, which tells the outside what it changes.
    pub(super) async fn begin(
        source: &Source,
        (first, last): (Option<u64>, Option<u64>),
        reached: Reached,
        selection: Selection,
        events_max: usize,
    ) -> anyhow::Result<Self> {
        let handled = source.standing().await?.ack_floor;
        let state = source.stream_state().await?;
        let wanted = last.unwrap_or(state.last).min(state.last);
        let last = wanted.min(handled);
        if last < wanted {
            tracing::info!(up_to = last, "what the service has not handled yet is left to it");
        }
        let first = first.unwrap_or_default().max(state.first).max(reached.position + 1);
        let start = match selection.since {
            Some(since) if reached == Reached::default() && first <= state.first => Start::Time(since),
            _ => Start::Sequence(first),
        };
        let history = match first <= last {
            true => Some(source.history(start, last).await.context("the stream cannot be read")?),
            false => None,
        };
        let limits = FetchLimits { messages: events_max, bytes: PAGE_BYTES_MAX };
        Ok(Self { history, selection, limits, before: first.saturating_sub(1), last })
    }

    /// How many sequences the way has.
    pub(super) fn length(&self) -> u64 {
        self.last.saturating_sub(self.before)
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Page>> {
        let Some(history) = &mut self.history else {
            return Ok(None);
        };
        let read = history.next(self.limits).await.context("the stream cannot be read on")?;
        let Some(mut messages) = read else {
            return Ok(None);
        };
        let mut page = Page { read: messages.len() as u64, ..Page::default() };
        page.reached.position = messages.last().and_then(|message| message.sequence).unwrap_or_default();
        // The stream is in the order of its time: beyond the end there is nothing more to find.
        if self.selection.until.is_some_and(|until| messages.last().is_some_and(|last| last.published_at >= until)) {
            self.history = None;
        }
        messages.retain(|message| self.selection.takes(message, Dated::ByStream));
        page.skipped = page.read - messages.len() as u64;
        page.batch = Batch { messages };
        Ok(Some(page))
    }
}
