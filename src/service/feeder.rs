//! The task that feeds ClickHouse while it holds the lease, and otherwise stands by.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use crate::analytics::mirrors::{horizons, mirror};
use crate::analytics::rebuild::finish_exchange;
use crate::analytics::tenure::{FEED, RENEW_EVERY, Renewed, Tenure};
use crate::analytics::{Error, Target, Writer};
use crate::feed::Range;
use crate::metrics;
use crate::retry::Pause;
use crate::sink::{self, Sink};
use crate::store::Connection;

/// Pause when nothing is settled, so that ClickHouse gets a few large inserts and not many small ones.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same when the service is to end as soon as everything is done.
const LOOK_EVERY_UNTIL_IDLE: Duration = Duration::from_millis(50);
/// How often ranges that were fed are merged.
const MERGE_EVERY: Duration = Duration::from_secs(60);
/// How often mirrored tables are looked at while there are ranges to carry.
const MIRROR_EVERY: Duration = Duration::from_secs(5);
/// Pause after ranges that changed after they were sealed could not be replaced.
const REPLACE_AGAIN: Duration = Duration::from_secs(30);
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
    let is_wanted = AtomicBool::new(false);
    let ended = tokio::select! {
        ended = renew(&tenure, &mut renewing, &is_wanted) => ended,
        ended = feed(shared, sink, &tenure, &is_wanted) => ended.map(|()| STAND_BACK),
        () = shared.stop.cancelled() => Ok(Duration::ZERO),
    };
    metrics::feeding(false);
    tenure.end(&mut renewing).await?;
    ended
}

/// Renews the lease until it is lost. Somebody else may need it for a moment: then the feed stops at the next range.
async fn renew(tenure: &Tenure, connection: &mut Connection, is_wanted: &AtomicBool) -> Result<Duration, Error> {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match tenure.renew(connection).await? {
            Renewed::Held => {}
            Renewed::Wanted => {
                if !is_wanted.swap(true, Ordering::Relaxed) {
                    tracing::info!("another process needs the lease of the feed for a moment");
                }
            }
            Renewed::Lost => return Err(Error::Elsewhere),
        }
    }
}

/// Carries range after range; the next one is sealed while one is on its way. Ends when somebody else wants the lease.
async fn feed(shared: &Shared, sink: &Sink, tenure: &Tenure, is_wanted: &AtomicBool) -> Result<(), Error> {
    let [mut marking, mut sealing] = [shared.store.connect().await?, shared.store.connect().await?];
    sink.verify_version().await?.map_err(Error::Version)?;
    finish_exchange(&mut marking, sink, tenure).await?;
    let target = Target::current(&mut marking).await?;
    let writer = Writer { sink, target: &target, tenure };
    let mut horizon = marking.positions();
    // What an earlier feeder left behind.
    while let Some(range) = marking.first_unfed(target.generation).await? {
        if !carry(shared, &mut marking, writer, is_wanted, &range, false).await? {
            return Ok(());
        }
    }
    let mut next = None;
    let (mut merged_at, mut mirrored_at) = (None::<Instant>, Instant::now());
    let (mut horizons, mut is_mirrored) = (horizons(&marking), true);
    let mut replaced_at = None::<Instant>;
    loop {
        if merged_at.is_none_or(|at| at.elapsed() > MERGE_EVERY) {
            marking.merge_ranges(target.generation).await?;
            merged_at = Some(Instant::now());
        }
        if next.is_none() || mirrored_at.elapsed() > MIRROR_EVERY {
            match mirror(&mut marking, sink, &mut horizons, tenure).await {
                Err(error @ Error::Store(_)) => return Err(error),
                // Ranges go on all the same.
                Err(error) => {
                    trouble(shared, &error);
                    is_mirrored = false;
                }
                Ok(()) => is_mirrored = true,
            }
            mirrored_at = Instant::now();
        }
        if next.is_none() && replaced_at.is_none_or(|at| at.elapsed() > REPLACE_AGAIN) {
            let outdated = marking.outdated(target.generation).await?;
            match writer.replace(&mut marking, &outdated).await {
                Ok(_) => replaced_at = None,
                // It may fail as often as it is tried: what is new is carried all the same.
                Err(
                    error @ (Error::Sink(sink::Error::Fault { .. } | sink::Error::Silent { .. })
                    | Error::Differs { .. }),
                ) => {
                    trouble(shared, &error);
                    replaced_at = Some(Instant::now());
                }
                Err(error) => return Err(error),
            }
        }
        let settled = horizon.advance(&mut sealing).await?;
        let seal = writer.seal_next(&mut sealing, settled);
        next = match next.take() {
            Some(range) => {
                let carrying = carry(shared, &mut marking, writer, is_wanted, &range, true);
                let (carried, sealed) = tokio::join!(carrying, seal);
                if !carried? || is_wanted.load(Ordering::Relaxed) {
                    return Ok(());
                }
                sealed?
            }
            None => seal.await?,
        };
        if next.is_none() {
            if is_mirrored && replaced_at.is_none() {
                shared.health.fine("analytics");
            }
            if is_wanted.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::time::sleep(if shared.until_idle { LOOK_EVERY_UNTIL_IDLE } else { LOOK_EVERY }).await;
        }
    }
}

/// Carries one range, however often that has to be tried. False when somebody else wants the lease meanwhile.
async fn carry(
    shared: &Shared,
    connection: &mut Connection,
    writer: Writer<'_>,
    is_wanted: &AtomicBool,
    range: &Range,
    is_fresh: bool,
) -> Result<bool, Error> {
    let began = Instant::now();
    let (trouble, gives_up) = (|error: &Error| trouble(shared, error), |_: &Error| is_wanted.load(Ordering::Relaxed));
    match writer.carry_until_there(connection, range, is_fresh, trouble, gives_up).await {
        Ok(()) => {}
        Err(error @ Error::Store(_)) => return Err(error),
        Err(_) => return Ok(false),
    }
    shared.health.fine("analytics");
    shared.tally.fed(range.events);
    metrics::fed(range.events, began.elapsed().as_secs_f64());
    Ok(true)
}
