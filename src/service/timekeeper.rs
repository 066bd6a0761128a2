//! The loop that fires timers, within a second of the moment.

use std::time::Duration;

use chrono::Utc;

use super::Shared;
use crate::metrics;
use crate::store::{Connection, Error};
use crate::timers::fire;

/// Pause when nothing is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause between two transactions when much is due at once, so that events are not starved.
const BREATH: Duration = Duration::from_millis(10);

/// Fires until stopped.
pub(super) async fn fire_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        let fired = pass(&shared, &mut connection).await.unwrap_or_default();
        let pause = if fired > 0 { BREATH } else { LOOK_EVERY };
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One transaction; trouble is noted and left to the next one. `None`: it could not be made.
pub(super) async fn pass(shared: &Shared, connection: &mut Option<Connection>) -> Option<usize> {
    match try_pass(shared, connection).await {
        Ok(fired) => {
            shared.health.well("timers");
            metrics::timers_fired(fired);
            Some(fired)
        }
        Err(error) => {
            *connection = None;
            if !matches!(error, Error::Contended { .. }) {
                tracing::warn!(error = %error, "cannot fire timers, trying again");
                shared.health.trouble("timers", error.to_string());
            }
            None
        }
    }
}

async fn try_pass(shared: &Shared, connection: &mut Option<Connection>) -> Result<usize, Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    fire(connection, Utc::now).await
}
