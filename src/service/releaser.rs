//! The loop that releases waiting events, within seconds of what they wait for.

use std::time::{Duration, Instant};

use super::Shared;
use crate::metrics;
use crate::release::{Released, release};
use crate::store::{Connection, Error};

/// Pause between two passes.
const PASS_EVERY: Duration = Duration::from_secs(1);
/// With very many waiting events looking through them takes long: the pause grows with it, up to this.
const PASS_EVERY_MAX: Duration = Duration::from_secs(5);
/// Pause in proportion to the time that the last look took.
const PAUSE_PER_LOOK: u32 = 10;

/// Releases until stopped.
pub(super) async fn release_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let look = pass(&shared, &mut connection).await.map_or(Duration::ZERO, |pass| pass.last_look);
        pause = (look * PAUSE_PER_LOOK).clamp(PASS_EVERY, PASS_EVERY_MAX);
    }
}

/// What a pass did.
pub(super) struct Pass {
    pub(super) released: Released,
    /// How long the last look took, which found nothing.
    last_look: Duration,
}

/// One pass; trouble is noted and left to the next one. `None`: it could not be made.
pub(super) async fn pass(shared: &Shared, connection: &mut Option<Connection>) -> Option<Pass> {
    match try_pass(shared, connection).await {
        Ok(pass) => {
            shared.health.well("releaser");
            Some(pass)
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

async fn try_pass(shared: &Shared, connection: &mut Option<Connection>) -> Result<Pass, Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    let mut pass = Pass { released: Released::default(), last_look: Duration::ZERO };
    while !shared.stop.is_cancelled() {
        let began = Instant::now();
        let released = release(connection, shared.run.id).await?;
        pass.released += released;
        metrics::released(&shared.domain.stream.name, released.applied);
        shared.tally.released(released);
        if released.applied + released.dead_letters == 0 {
            pass.last_look = began.elapsed();
            break;
        }
    }
    Ok(pass)
}
