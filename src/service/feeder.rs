//! The task that feeds ClickHouse while it holds the lease, and otherwise stands by.

use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use crate::analytics::rebuild::finish_exchange;
use crate::analytics::repair::replace;
use crate::analytics::tenure::{FEED, RENEW_EVERY, Renewed, Tenure};
use crate::analytics::{Error, Target, carry, seal_next};
use crate::feed::Range;
use crate::metrics;
use crate::retry::Pause;
use crate::sink::{self, Sink};
use crate::store::Connection;

/// Pause when nothing is settled, so that ClickHouse gets a few large inserts and not many small ones.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same when the service is to end as soon as everything is done.
const LOOK_EVERY_UNTIL_IDLE: Duration = Duration::from_millis(50);
/// Somebody asked for the lease: so long it is left to them.
const STAND_BACK: Duration = Duration::from_secs(2);

/// Feeds until stopped. Whatever is wrong with ClickHouse is noted and harms nobody else.
pub(super) async fn feed_for_ever(shared: Shared, sink: Sink) -> anyhow::Result<()> {
    let mut pause = Pause::default();
    loop {
        // Ends by itself when the service is stopped, and gives the lease back first.
        let next = match tenure(&shared, &sink).await {
            Ok(next) => {
                pause.reset();
                next
            }
            Err(error) => {
                trouble(&shared, &error);
                pause.longer()
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(next) => {}
        }
    }
}

fn trouble(shared: &Shared, error: &Error) {
    tracing::warn!(error = %error, "cannot feed ClickHouse, trying again");
    shared.health.note("analytics", error.to_string());
    metrics::feed_retried(error);
}

/// Our time as the feeder, if nobody else has the lease; gives the pause until the next try. Dropped at any point, it
/// leaves behind a lease that ends by itself and at most ranges that are sealed and not marked.
async fn tenure(shared: &Shared, sink: &Sink) -> Result<Duration, Error> {
    let mut renewing = shared.store.connect().await?;
    let Some(tenure) = Tenure::begin(&mut renewing, FEED, false).await? else {
        shared.health.fine("analytics");
        metrics::feeding(false);
        return Ok(LOOK_EVERY);
    };
    tracing::info!(epoch = tenure.epoch, "feeding ClickHouse");
    metrics::feeding(true);
    let ended = tokio::select! {
        ended = renew(&tenure, &mut renewing) => ended,
        ended = feed(shared, sink, &tenure) => ended.map(|()| LOOK_EVERY),
        () = shared.stop.cancelled() => Ok(Duration::ZERO),
    };
    metrics::feeding(false);
    tenure.end(&mut renewing).await?;
    ended
}

/// Renews the lease until it is lost or somebody else needs it.
async fn renew(tenure: &Tenure, connection: &mut Connection) -> Result<Duration, Error> {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match tenure.renew(connection).await? {
            Renewed::Held => {}
            Renewed::Wanted => {
                tracing::info!("another process needs the lease of the feed for a moment");
                return Ok(STAND_BACK);
            }
            Renewed::Lost => return Err(Error::Elsewhere),
        }
    }
}

/// Carries range after range; the next one is sealed while one is on its way.
async fn feed(shared: &Shared, sink: &Sink, tenure: &Tenure) -> Result<(), Error> {
    let [mut marking, mut sealing] = [shared.store.connect().await?, shared.store.connect().await?];
    sink.verify_version().await?.map_err(Error::Version)?;
    finish_exchange(&mut marking, sink).await?;
    let target = Target::current(&mut marking).await?;
    let mut horizon = marking.positions();
    // What an earlier feeder left behind.
    while let Some(range) = marking.first_unfed(target.generation).await? {
        carry_until_there(shared, &mut marking, sink, (&target, tenure), &range, false).await?;
    }
    let mut next = None;
    loop {
        if next.is_none() {
            let outdated = marking.outdated(target.generation).await?;
            replace(&mut marking, sink, &target, &outdated, tenure).await?;
        }
        let settled = horizon.advance(&mut sealing).await?;
        let seal = seal_next(&mut sealing, &target, settled, (tenure.name, tenure.epoch));
        next = match next.take() {
            Some(range) => {
                let carrying = carry_until_there(shared, &mut marking, sink, (&target, tenure), &range, true);
                let (carried, sealed) = tokio::join!(carrying, seal);
                carried?;
                sealed?
            }
            None => seal.await?,
        };
        if next.is_none() {
            shared.health.fine("analytics");
            tokio::time::sleep(if shared.until_idle { LOOK_EVERY_UNTIL_IDLE } else { LOOK_EVERY }).await;
        }
    }
}

/// Carries one range, however often that has to be tried. ClickHouse may be away for hours: the range waits.
async fn carry_until_there(
    shared: &Shared,
    connection: &mut Connection,
    sink: &Sink,
    (target, tenure): (&Target, &Tenure),
    range: &Range,
    mut is_fresh: bool,
) -> Result<(), Error> {
    let (mut pause, began) = (Pause::default(), Instant::now());
    loop {
        match carry(connection, sink, target, range, is_fresh, tenure.until()).await {
            Ok(()) => {
                shared.health.fine("analytics");
                shared.tally.fed(range.events);
                metrics::fed(range.events, began.elapsed().as_secs_f64());
                return Ok(());
            }
            Err(error @ Error::Store(_)) => return Err(error),
            // Not by a first insert and not by its repeat: something else was there before, or is there beside it.
            Err(error @ Error::Differs { .. }) if !is_fresh => {
                trouble(shared, &error);
                replace(connection, sink, target, &[(range.first, range.last)], tenure).await?;
                return Ok(());
            }
            Err(error) => {
                trouble(shared, &error);
                // What ClickHouse itself refused is repeated under its token: the rows may be there, and not what a view
                // that failed makes of them. Of everything else nobody knows what became of it: it is looked up.
                is_fresh = matches!(error, Error::Sink(sink::Error::Fault { .. } | sink::Error::Busy { .. }));
            }
        }
        tokio::time::sleep(pause.longer()).await;
    }
}
