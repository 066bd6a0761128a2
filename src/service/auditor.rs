//! The loop that compares the books with the stream, and has filled what is missing.

use std::time::{Duration, Instant};

use super::Shared;
use crate::audit::{self, Audit};
use crate::metrics;
use crate::retry::Pause;
use crate::store::Connection;

/// Pause between two audits: what is missing is found within a minute, also when one of them fails.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The same when the service is to end as soon as everything is done.
const LOOK_EVERY_UNTIL_IDLE: Duration = Duration::from_secs(1);

/// Messages that were lost: as the last audit found them, and as they were last told.
#[derive(Debug, Default)]
struct Lost {
    seen: u64,
    told: u64,
}

/// Audits until stopped.
///
/// # Errors
/// When the stream is not the one that the books are about, and the service is to end once everything is handled.
pub(super) async fn audit_for_ever(shared: Shared) -> anyhow::Result<()> {
    let mut connection = None;
    let (mut lost, mut trouble) = (Lost::default(), Pause::default());
    loop {
        let pause = match pass(&shared, &mut connection, &mut lost).await {
            Ok(next) => {
                trouble.reset();
                next.unwrap_or(if shared.until_idle { LOOK_EVERY_UNTIL_IDLE } else { LOOK_EVERY })
            }
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "cannot audit, trying again");
                shared.health.note("audit", error.to_string());
                connection = None;
                trouble.longer()
            }
        };
        if shared.until_idle && shared.halt.is_called() {
            anyhow::bail!("the stream is not the one that the books are about: see the log");
        }
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One look and, where something is missing, one batch. Gives the pause until the next batch, if there is one: as long as
/// this one took, so that at most half a connection's work is taken from those who serve the live stream.
async fn pass(
    shared: &Shared,
    connection: &mut Option<Connection>,
    lost: &mut Lost,
) -> anyhow::Result<Option<Duration>> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(shared.store.connect().await?),
    };
    if !shared.parts.audit {
        // Another process audits. Whether it is still the stream of the books, everybody sees for themselves.
        halt(shared, audit::breach(connection, &shared.source).await?.as_ref());
        shared.health.fine("audit");
        return Ok(None);
    }
    let audit = audit::look(connection, &shared.source).await?;
    metrics::audited(&audit);
    tell(shared, &audit, lost);
    let is_ours = audit.broken.is_none() && !audit.held.is_empty() && audit::can_fill(&shared.domain);
    if !is_ours || !connection.may_fill().await? {
        return Ok(None);
    }
    // Another process may have filled until just now.
    let audit = audit::look(connection, &shared.source).await?;
    if audit.broken.is_some() || audit.held.is_empty() {
        return Ok(None);
    }
    tracing::warn!(
        missing = audit.missing - audit.lost,
        first = audit.held[0].0,
        "messages were never handled: filling"
    );
    let began = Instant::now();
    let totals = audit::fill(connection, &shared.source, &shared.run, &audit.held).await?;
    for (outcome, count) in &totals {
        metrics::ended(&shared.domain.stream.name, *outcome, *count);
    }
    shared.tally.ended(&totals);
    metrics::filled(totals.iter().map(|(_, count)| count).sum());
    shared.health.committed();
    Ok(Some(began.elapsed()))
}

/// A stream that is not the one of the books stops all fetching and publishing.
fn halt(shared: &Shared, broken: Option<&String>) {
    let has_changed = shared.halt.set(broken.is_some());
    match broken {
        Some(problem) => {
            shared.health.trouble("audit", problem.clone());
            if has_changed {
                tracing::error!(problem, "nothing is taken from the stream any more, and nothing published to it");
            }
        }
        None => {
            shared.health.well("audit");
        }
    }
}

/// Says what was found, and what is lost.
fn tell(shared: &Shared, audit: &Audit, lost: &mut Lost) {
    halt(shared, audit.broken.as_ref());
    // Seen twice: what a worker had in hand when it was deleted may be handled yet.
    let sure = audit.lost.min(lost.seen);
    if sure > 0 {
        let what = format!("{sure} messages were gone from the stream before they were handled");
        if lost.told != sure {
            tracing::error!(first = ?audit.gone.first(), "{what}\n  hint: `milepost prove` names them");
        }
        shared.health.note("audit", what);
    } else {
        shared.health.fine("audit");
    }
    *lost = Lost { seen: audit.lost, told: sure };
}
