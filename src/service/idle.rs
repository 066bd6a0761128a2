//! Ending once there is nothing more to do: the stream is drained and nothing that waits can be released.

use std::time::Duration;

use super::{Shared, releaser};
use crate::release::Released;

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
        let nothing_left = pass.is_some_and(|pass| pass.released == Released::default());
        if nothing_left && is_drained(&shared).await {
            shared.stop.cancel();
            return Ok(());
        }
    }
}

async fn is_drained(shared: &Shared) -> bool {
    shared.source.standing().await.is_ok_and(|standing| standing.pending + standing.unacknowledged == 0)
}
