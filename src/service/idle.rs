//! Ending once there is nothing more to do: the stream is drained and nothing that waits can be released.

use std::time::Duration;

use super::{Shared, releaser};

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
        // A pass of its own, after the stream was seen drained: it sees everything that was committed.
        let pass = releaser::pass(&shared, &mut connection).await;
        // What another task or process is at is found, and not released by us: then it is not over.
        let nothing_left = pass.is_some_and(|pass| pass.released.found == 0);
        if nothing_left && is_drained(&shared).await {
            shared.stop.cancel();
            return Ok(());
        }
    }
}

async fn is_drained(shared: &Shared) -> bool {
    shared.source.standing().await.is_ok_and(|standing| standing.pending + standing.unacknowledged == 0)
}
