//! The loop that releases waiting events, within seconds of what they wait for.

use std::time::{Duration, Instant};

use super::Shared;
use crate::metrics;
use crate::release::{Released, release};
use crate::store::{Connection, Error, TRANSACTION_SECONDS_MAX};

/// Pause between two passes.
const PASS_EVERY: Duration = Duration::from_secs(1);
/// With very many waiting events a pass takes long: it then gets at most this share of the time.
const PAUSE_PER_PASS: u32 = 10;

/// Releases until stopped.
pub(super) async fn release_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let began = Instant::now();
        pass(&shared, &mut connection).await;
        pause = PASS_EVERY.max(began.elapsed() * PAUSE_PER_PASS);
    }
}

/// One pass; trouble is noted and left to the next one. `None`: it could not be made.
pub(super) async fn pass(shared: &Shared, connection: &mut Option<Connection>) -> Option<Released> {
    match try_pass(shared, connection).await {
        Ok(released) => {
            shared.health.well("releaser");
            Some(released)
        }
        Err(Error::Contended { .. }) => {
            *connection = None;
            None
        }
        Err(error) => {
            tracing::warn!(error = %error, "cannot release waiting events, trying again");
            shared.health.trouble("releaser", error.to_string());
            *connection = None;
            None
        }
    }
}

async fn try_pass(shared: &Shared, connection: &mut Option<Connection>) -> Result<Released, Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    let mut total = Released::default();
    let deadline = Duration::from_secs(TRANSACTION_SECONDS_MAX);
    let mut note = |released: Released| {
        total += released;
        metrics::released(&shared.domain.stream.name, released.applied);
        shared.tally.released(released);
    };
    while !shared.stop.is_cancelled() {
        let releasing = Box::pin(release(connection, shared.run.id));
        let released = tokio::time::timeout(deadline, releasing).await.map_err(|_| Error::Silent {
            attempted: "releasing waiting events".into(),
            seconds: TRANSACTION_SECONDS_MAX,
        })??;
        note(released);
        if released == Released::default() {
            break;
        }
    }
    Ok(total)
}
