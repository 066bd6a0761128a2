//! The loop that prunes what `[retention]` says need not be kept.

use std::time::Duration;

use super::Shared;
use crate::metrics;
use crate::retention::prune;
use crate::store::{Connection, Error};

/// Pause between two passes.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// Tidies until stopped. Trouble harms nobody else: it is left to the next pass.
pub(super) async fn tidy_for_ever(shared: Shared, claims_kept: Duration) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        if let Err(error) = pass(&shared, &mut connection, claims_kept).await {
            tracing::warn!(error = %error, "cannot prune claims, later then");
            connection = None;
        }
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
    }
}

async fn pass(shared: &Shared, connection: &mut Option<Connection>, claims_kept: Duration) -> Result<(), Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    let pruned = prune(connection, claims_kept, |count| {
        metrics::pruned(count);
        !shared.stop.is_cancelled()
    });
    if let Some(count @ 1..) = pruned.await? {
        tracing::info!(count, "pruned claims: their ids are kept");
    }
    Ok(())
}
