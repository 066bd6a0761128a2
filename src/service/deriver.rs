//! The loop that derives what batches only noted, within seconds. Every process has one; the database lets one of them
//! derive at a time.

use std::time::Duration;

use super::Shared;
use crate::store::{Connection, Error};

/// Pause between two passes: what is touched in between is derived once.
const PASS_EVERY: Duration = Duration::from_secs(1);
/// Most notes taken in one transaction.
const TOUCHED_MAX: i64 = 2000;

/// Derives until stopped.
pub(super) async fn derive_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        pass(&shared, &mut connection).await;
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PASS_EVERY) => {}
        }
    }
}

/// Derives until nothing is left; returns how many notes that were. Trouble is noted and left to the next pass. `None`:
/// it could not be made, or somebody else is at it.
pub(super) async fn pass(shared: &Shared, connection: &mut Option<Connection>) -> Option<usize> {
    match try_pass(shared, connection).await {
        Ok(derived) => {
            shared.health.well("deriver");
            derived
        }
        Err(error) => {
            *connection = None;
            if !matches!(error, Error::Contended { .. }) {
                tracing::warn!(error = %error, "cannot derive what was touched, trying again");
                shared.health.trouble("deriver", error.to_string());
            }
            None
        }
    }
}

async fn try_pass(shared: &Shared, connection: &mut Option<Connection>) -> Result<Option<usize>, Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    let mut total = 0;
    while !shared.stop.is_cancelled() {
        match connection.derive_later(TOUCHED_MAX).await? {
            None => return Ok(None),
            Some(0) => break,
            Some(derived) => total += derived,
        }
    }
    Ok(Some(total))
}
