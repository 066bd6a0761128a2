//! The loop that relays the outbox to the stream.

use std::time::Duration;

use super::Shared;
use crate::metrics;
use crate::relay::{Relay, RelayError};
use crate::retry::Pause;
use crate::store::Connection;

/// Pause when there is nothing to publish, or another process does.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Relays until stopped.
pub(super) async fn relay_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    let mut relay = Relay::default();
    let mut trouble = Pause::default();
    loop {
        // A stream that lost its end gives used sequences anew: each message more makes that worse.
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = shared.halt.lifted() => {}
        }
        let pause = match try_pass(&shared, &mut relay, &mut connection).await {
            Ok(done) => {
                shared.health.well("outbox");
                trouble.reset();
                metrics::relayed(done.unwrap_or_default());
                if done.is_some_and(|done| done > 0) { Duration::ZERO } else { LOOK_EVERY }
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot publish from the outbox, trying again");
                shared.health.trouble("outbox", error.to_string());
                connection = None;
                trouble.longer()
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn try_pass(
    shared: &Shared,
    relay: &mut Relay,
    connection: &mut Option<Connection>,
) -> Result<Option<usize>, RelayError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    relay.pass(connection, &shared.source, shared.domain.stream.duplicate_window).await
}
