//! Once a second: how far behind we are, what waits, what is dead.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Shared;
use crate::metrics;
use crate::source::age_seconds;
use crate::store::statistics::Statistics;
use crate::store::{Connection, Error};

const EVERY: Duration = Duration::from_secs(1);

/// Watches until stopped.
pub(super) async fn watch(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    let mut behind_since = None;
    loop {
        look(&shared, &mut connection, &mut behind_since).await;
        // A broker that came back without its store may have made the stream anew without breaking our flow.
        drop(shared.same_stream().await?);
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(shared: &Shared, connection: &mut Option<Connection>, behind_since: &mut Option<DateTime<Utc>>) {
    let lag = match shared.source.standing().await {
        Ok(standing) => {
            shared.health.well("consumer");
            standing.pending + standing.unacknowledged
        }
        Err(error) => {
            shared.health.trouble("consumer", error.to_string());
            return;
        }
    };
    shared.health.lag(lag);
    let since = match lag {
        0 => None,
        _ => Some(behind_since.unwrap_or_else(Utc::now)),
    };
    *behind_since = since;
    // What was committed last is older than everything that is not handled; before any commit, since we first saw it.
    let lag_seconds = since.map(|since| age_seconds(shared.tally.last_commit().map_or(since, |last| last.max(since))));
    let statistics = match statistics(shared, connection).await {
        Ok((statistics, (rows, seconds))) => {
            metrics::feed_lag(rows, seconds);
            statistics
        }
        Err(error) => {
            tracing::debug!(error = %error, "cannot count what waits");
            *connection = None;
            return;
        }
    };
    metrics::standing(lag, lag_seconds.unwrap_or_default(), &statistics);
}

async fn statistics(shared: &Shared, connection: &mut Option<Connection>) -> Result<(Statistics, (i64, f64)), Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    let unfed = if shared.parts.analytics { connection.unfed().await? } else { (0, 0.0) };
    Ok((connection.statistics().await?, unfed))
}
