//! Does ClickHouse hold what the event store has, and do its sums add up?

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::mirrors::differing;
use super::rebuild::finish_exchange;
use super::repair::COPY_SECONDS_MAX;
use super::tenure::{FEED, Tenure};
use super::{Error, Target, Writer};
use crate::sink::Sink;
use crate::sink::ranges::Content;
use crate::sink::sums::WrongSum;
use crate::store::{Connection, Store};

/// Ranges compared in one query.
pub(super) const RANGES_AT_ONCE: usize = 2000;
/// Differences named in the report.
const NAMED_MAX: u32 = 20;

/// What was found. Part of the JSON of `milepost prove`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FeedProof {
    /// Generation of the tables.
    pub generation: i32,
    /// Ranges compared.
    pub ranges: u64,
    /// Rows in them, as sealed.
    pub rows: i64,
    /// Stored events that are not fed yet.
    pub unfed: i64,
    /// Ranges that differ, as closed ranges of positions: the first ones.
    pub differing: Vec<(i64, i64)>,
    /// Sums that are not what the raw events add up to: the first ones.
    pub wrong_sums: Vec<WrongSum>,
    /// What does not add up, in words.
    pub problems: Vec<String>,
    /// Partitions that were replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<String>,
    /// All ranges that differ.
    #[serde(skip)]
    pub all_differing: Vec<(i64, i64)>,
}

/// Compares tables in ClickHouse with the ranges that were sealed for them, and these with the store.
///
/// # Errors
/// When one of the two databases cannot be asked.
pub async fn prove(
    connection: &mut Connection,
    sink: &Sink,
    target: &Target,
    since: Option<DateTime<Utc>>,
) -> Result<FeedProof, Error> {
    let sink = &sink.clone().with_deadline(Duration::from_secs(COPY_SECONDS_MAX));
    let from = match since {
        Some(since) => connection.position_since(since).await?,
        None => 0,
    };
    let mut proof = FeedProof { generation: target.generation, ..FeedProof::default() };
    for ranges in connection.fed_ranges(target.generation, from).await?.chunks(RANGES_AT_ONCE) {
        let bounds: Vec<(i64, i64)> = ranges.iter().map(|range| (range.first_position, range.last_position)).collect();
        let found: HashMap<i64, Content> = sink.contents(&target.table, &connection.domain().layout, &bounds).await?;
        for range in ranges {
            let (first, last) = (range.first_position, range.last_position);
            proof.ranges += 1;
            proof.rows += range.events;
            let sealed = Content { events: range.events, hash: range.content_hash.cast_unsigned() };
            let there = found.get(&first).copied().unwrap_or_default();
            let problem = match (there == sealed, range.stored == range.events) {
                (true, true) => continue,
                (false, _) if there.events == sealed.events => {
                    format!("positions {first} to {last}: ClickHouse holds other rows than were sealed")
                }
                (false, _) => {
                    format!(
                        "positions {first} to {last}: ClickHouse holds {} rows, {} were sealed",
                        there.events, sealed.events
                    )
                }
                (true, false) => format!(
                    "positions {first} to {last}: {} events were sealed, the store has {}",
                    range.events, range.stored
                ),
            };
            proof.all_differing.push((first, last));
            proof.problems.push(problem);
        }
    }
    let sealed = connection.last_sealed(target.generation).await?;
    let strays = sink.count_beyond(&target.table, sealed).await?;
    if strays > 0 {
        proof
            .problems
            .push(format!("ClickHouse holds {strays} rows beyond position {sealed}, the last that was sealed"));
    }
    proof.unfed = connection.unfed_events(target.generation).await?;
    let condition = hours_since(since);
    proof.wrong_sums = sink.wrong_sums(&target.table, &target.aggregated, &condition, NAMED_MAX).await?;
    if let Some(first) = proof.wrong_sums.first() {
        let WrongSum { key, raw, sums } = first;
        proof.problems.push(format!(
            "{}{} sums are wrong, the first at {key}: {sums} where the raw events add up to {raw}",
            proof.wrong_sums.len(),
            if proof.wrong_sums.len() as u64 == u64::from(NAMED_MAX) { " or more" } else { "" },
        ));
    }
    let mirrors = differing(connection, sink).await?;
    proof.problems.extend(mirrors.into_iter().map(|(_, problem)| problem));
    proof.differing = proof.all_differing.iter().copied().take(NAMED_MAX as usize).collect();
    Ok(proof)
}

/// Proves the tables that are read. While they are being written, what is on its way may look wrong; so what looks wrong is
/// looked at again with nobody writing, and, if wanted, replaced.
///
/// # Errors
/// When one of the two databases fails.
pub async fn prove_feed(
    store: &Store,
    sink: &Sink,
    since: Option<DateTime<Utc>>,
    is_repaired: bool,
) -> Result<FeedProof, Error> {
    let mut connection = store.connect_unhurried().await?;
    let target = Target::current(&mut connection).await?;
    let found = prove(&mut connection, sink, &target, since).await?;
    if found.problems.is_empty() {
        return Ok(found);
    }
    let mut renewing = store.connect().await?;
    let tenure = match Tenure::demand(&mut renewing, FEED).await {
        Ok(tenure) => tenure,
        // Whoever has the lease does not let go of it; then this is how it looks.
        Err(Error::Elsewhere) if !is_repaired => return Ok(found),
        Err(error) => return Err(error),
    };
    let work = async {
        finish_exchange(&mut connection, sink, &tenure).await?;
        let target = Target::current(&mut connection).await?;
        let found = prove(&mut connection, sink, &target, since).await?;
        if !is_repaired || found.problems.is_empty() {
            return Ok(found);
        }
        let writer = Writer { sink, target: &target, tenure: &tenure };
        let mut repaired = writer.replace(&mut connection, &found.all_differing).await?;
        repaired.extend(writer.remove_strays(&mut connection).await?);
        repaired.extend(writer.sum_wrong_again(&hours_since(since)).await?);
        for (table, _) in differing(&mut connection, sink).await? {
            writer.mirror_anew(&mut connection, &table).await?;
            repaired.push(table.name);
        }
        repaired.sort();
        repaired.dedup();
        let proof = prove(&mut connection, sink, &target, since).await?;
        Ok(FeedProof { repaired, ..proof })
    };
    Box::pin(tenure.during(&mut renewing, work)).await
}

/// SQL for the hours that began at or after a moment.
fn hours_since(since: Option<DateTime<Utc>>) -> String {
    since.map_or_else(
        || "true".to_owned(),
        |since| format!("hour >= toDateTime64('{}', 6, 'UTC')", since.format("%Y-%m-%d %H:%M:%S%.6f")),
    )
}
