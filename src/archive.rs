//! Archiving: old months of the event store to files of one event per line, compressed, and dropped if wanted.
//!
//! A file is written under a temporary name, synced, read back and compared, and only then given its name; its manifest
//! comes last, and a file without one is no archive. So whatever is killed when, nothing is there by half. Only a month
//! whose file was proved is dropped, and only if nothing was added to it meanwhile.

pub mod file;
pub mod line;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::archive::{Dropping, Extent, Month};
use crate::store::audit_logs::{Change, Operator};
use crate::store::{Connection, Error};
use file::Writing;
use line::line;

/// Events read at a time.
const EVENTS_AT_ONCE: i64 = 1000;
/// Tries to get the event store for oneself for a moment, with a pause in between.
const TRIES_MAX: usize = 60;
const TRY_EVERY: Duration = Duration::from_millis(500);

/// What is known of a file; the JSON beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The partition of the event store.
    pub partition: String,
    /// Name of the file, in the same folder.
    pub file: String,
    /// Its lines.
    pub events: u64,
    /// SHA-256 of its lines, uncompressed, in hexadecimal digits.
    pub sha256: String,
    /// The first position.
    pub first_position: i64,
    /// The last position.
    pub last_position: i64,
    /// The earliest time of an event.
    pub first_time: DateTime<Utc>,
    /// The latest.
    pub last_time: DateTime<Utc>,
}

/// Writes a month to a file, or finds that it is there already. `None`: the month is empty.
///
/// # Errors
/// When the store cannot be read, an event could not be read back from its line, or the file cannot be written.
pub async fn archive(connection: &mut Connection, month: &Month, folder: &Path) -> anyhow::Result<Option<Manifest>> {
    let domain = connection.domain();
    let Some(extent) = connection.extent(month).await? else {
        return Ok(None);
    };
    let stem = format!("{}-{}-{}", month.partition, extent.first_position, extent.last_position);
    let mut name = format!("{stem}.ndjson.zst");
    if let Some(known) = file::find(folder, &name)? {
        if is_of(&known, &extent) {
            return Ok(Some(known));
        }
        // An event in between was withdrawn or added since. What is in the folder stays: it may be the only copy.
        name = format!("{stem}-{}.ndjson.zst", extent.events);
        if let Some(known) = file::find(folder, &name)? {
            return Ok(Some(known));
        }
    }
    let mut writing = Writing::begin(folder, &name)?;
    let mut after = extent.first_position - 1;
    loop {
        let events = connection.month_events(month, after, extent.last_position, EVENTS_AT_ONCE).await?;
        let Some(last) = events.last() else {
            break;
        };
        after = last.position;
        for event in &events {
            let text = line(&domain, &event.event_type, &event.payload)
                .map_err(|fault| anyhow::anyhow!("the event at position {}: {fault}", event.position))?;
            writing.add(&text)?;
        }
    }
    let (events, sha256) = writing.finish().context("writing the archive")?;
    let manifest = Manifest {
        partition: month.partition.clone(),
        file: name,
        events,
        sha256,
        first_position: extent.first_position,
        last_position: extent.last_position,
        first_time: extent.first_time,
        last_time: extent.last_time,
    };
    file::publish(folder, &manifest)?;
    Ok(Some(manifest))
}

fn is_of(known: &Manifest, extent: &Extent) -> bool {
    i64::try_from(known.events) == Ok(extent.events)
}

/// Drops a month whose file was proved. Its ids are kept, so that no event of it is taken again.
///
/// # Errors
/// When the file is not what its manifest says, something was added to the month meanwhile, or others do not let go of
/// the event store; nothing was dropped then.
pub async fn drop_month(
    connection: &mut Connection,
    month: &Month,
    folder: &Path,
    manifest: &Manifest,
    operator: &Operator,
) -> anyhow::Result<()> {
    let details = json!({"month": month.partition, "events": manifest.events, "file": manifest.file});
    let change = Change::of("archive.drop", "event_log", details);
    file::verify(folder, manifest)?;
    connection.keep_ids(month).await?;
    let kept = connection.extent(month).await?;
    for _ in 0..TRIES_MAX {
        match connection.drop_month(month, manifest, kept.as_ref(), (operator, &change)).await {
            Ok(Dropping::Dropped) => return Ok(()),
            Ok(Dropping::Needed) => anyhow::bail!(
                "tables are being made anew from {}, it was not dropped\n  hint: try again when `milepost rebuild` is done",
                month.partition
            ),
            Ok(Dropping::Changed) => anyhow::bail!(
                "events were added to {} while it was archived, nothing was dropped\n  hint: archive it again",
                month.partition
            ),
            // A dump or an analyst reads it: nobody is to queue behind us.
            Err(Error::Contended { .. }) => {
                connection.rollback().await?;
                tokio::time::sleep(TRY_EVERY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("somebody holds on to the event store, {} was not dropped\n  hint: try again later", month.partition)
}
