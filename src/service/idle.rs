//! Ending once there is nothing more to do: the stream is drained, nothing that waits can be released, nothing is left
//! to derive, no timer is due, the outbox is empty, ClickHouse has everything, and nothing of the stream is missing.

use std::time::Duration;

use super::{Shared, deriver, releaser};
use crate::audit;
use crate::store::Connection;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Stops the service when it is idle.
pub(super) async fn stop_when_idle(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if !is_drained(&shared).await {
            continue;
        }
        // Passes of its own, after the stream was seen drained: they see everything that was committed.
        let nothing_left = !shared.parts.project
            || (nothing_to_release(&shared, &mut connection).await
                && nothing_to_derive(&shared, &mut connection).await);
        // What is published comes back through the stream: so this is looked at before the stream once more.
        let nothing_left = nothing_left && nothing_due(&shared, &mut connection).await;
        if nothing_left && nothing_missing(&shared, &mut connection).await && is_drained(&shared).await {
            shared.stop.cancel();
            return Ok(());
        }
    }
}

/// Without workers of ours, the stream is somebody else's to drain.
async fn is_drained(shared: &Shared) -> bool {
    !shared.parts.project || shared.source.is_drained().await.unwrap_or(false)
}

/// What another task or process is at is found, and not released by us: then it is not over.
async fn nothing_to_release(shared: &Shared, connection: &mut Option<Connection>) -> bool {
    releaser::pass(shared, connection).await.is_some_and(|pass| pass.released.found == 0)
}

/// Another process may be the one that derives: then it is not over before we were, and found nothing.
async fn nothing_to_derive(shared: &Shared, connection: &mut Option<Connection>) -> bool {
    deriver::pass(shared, connection).await == Some(0)
}

/// No timer is due, the outbox is empty and everything is fed, as far as these are ours to work off.
async fn nothing_due(shared: &Shared, connection: &mut Option<Connection>) -> bool {
    if connection.is_none() {
        *connection = shared.store.connect().await.ok();
    }
    let Some(open) = connection else {
        return false;
    };
    let is_fed = match shared.parts.analytics {
        true => open.is_fed().await,
        false => Ok(true),
    };
    match (is_fed, open.statistics().await) {
        (Ok(is_fed), Ok(now)) => {
            is_fed && (!shared.parts.timers || now.timers_due == 0) && (!shared.parts.outbox || now.unpublished == 0)
        }
        _ => {
            *connection = None;
            false
        }
    }
}

/// What is missing and can be filled is filled before the end: by us, or by another process.
async fn nothing_missing(shared: &Shared, connection: &mut Option<Connection>) -> bool {
    if !shared.parts.audit {
        return true;
    }
    let Some(open) = connection else {
        return false;
    };
    match audit::look(open, &shared.source).await {
        Ok(audit) => audit.held.is_empty() || !audit::can_fill(&shared.domain),
        Err(_) => {
            *connection = None;
            false
        }
    }
}
