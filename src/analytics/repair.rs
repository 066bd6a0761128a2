//! Replacing ranges in ClickHouse by what the event store has: partition by partition, never by inserting again into a
//! table that is read.

use crate::feed::{RANGE_EVENTS_MAX, Range};
use crate::sink::Sink;
use crate::sink::tables::AGGREGATED;
use crate::store::Connection;

use super::tenure::Tenure;
use super::{Error, Target, read};

/// Where replaced partitions are prepared.
const RAW_BESIDE: &str = "events_raw_repair";
const AGGREGATED_BESIDE: &str = "events_aggregated_repair";

/// Replaces ranges, and with them the partitions that they have rows in. Our lease keeps everybody else from writing.
/// Killed at any point, it is simply done again.
///
/// # Errors
/// When one of the two databases fails; what is read is then as before or partly replaced.
pub async fn replace(
    connection: &mut Connection,
    sink: &Sink,
    target: &Target,
    ranges: &[(i64, i64)],
    tenure: &Tenure,
) -> Result<Vec<String>, Error> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    sink.make_like(&target.table, RAW_BESIDE, "being prepared").await?;
    let mut resealed = Vec::new();
    for (first, last) in ranges {
        resealed.push((*first, write_beside(connection, sink, target.generation, (*first, *last), tenure).await?));
    }
    let within: Vec<String> =
        ranges.iter().map(|(first, last)| format!("position between {first} and {last}")).collect();
    let within = within.join(" or ");
    let mut partitions = sink.partitions(RAW_BESIDE, "true").await?;
    partitions.extend(sink.partitions(&target.table, &within).await?);
    partitions.sort();
    partitions.dedup();
    for partition in &partitions {
        let kept = format!("select * from {} where _partition_id = '{partition}' and not ({within})", target.table);
        sink.fill(RAW_BESIDE, &kept).await?;
    }
    for partition in &partitions {
        sink.replace_partition(&target.table, RAW_BESIDE, partition).await?;
    }
    sum_again(sink, &target.table, &partitions).await?;
    for (first, (events, hash)) in resealed {
        connection.replaced(target.generation, first, events, hash).await?;
    }
    sink.remove(RAW_BESIDE).await?;
    Ok(partitions)
}

/// Computes the sums of some partitions again from the raw events there.
///
/// # Errors
/// When ClickHouse does not do it.
pub async fn sum_again(sink: &Sink, raw: &str, partitions: &[String]) -> Result<(), Error> {
    sink.make_like(AGGREGATED, AGGREGATED_BESIDE, "being prepared").await?;
    for partition in partitions {
        let source = format!("(select * from {raw} where _partition_id = '{partition}')");
        sink.fill(AGGREGATED_BESIDE, &sink.aggregation(&source).await?).await?;
        sink.replace_partition(AGGREGATED, AGGREGATED_BESIDE, partition).await?;
    }
    sink.remove(AGGREGATED_BESIDE).await?;
    Ok(())
}

/// Takes out rows of positions that were never sealed.
///
/// # Errors
/// When one of the two databases fails.
pub async fn remove_strays(connection: &mut Connection, sink: &Sink, target: &Target) -> Result<Vec<String>, Error> {
    let sealed = connection.last_sealed(target.generation).await?;
    let stray = format!("(position > {sealed} or position = 0)");
    let partitions = sink.partitions(&target.table, &stray).await?;
    if partitions.is_empty() {
        return Ok(partitions);
    }
    sink.make_like(&target.table, RAW_BESIDE, "being prepared").await?;
    for partition in &partitions {
        let kept = format!("select * from {} where _partition_id = '{partition}' and not {stray}", target.table);
        sink.fill(RAW_BESIDE, &kept).await?;
        sink.replace_partition(&target.table, RAW_BESIDE, partition).await?;
    }
    sink.remove(RAW_BESIDE).await?;
    sum_again(sink, &target.table, &partitions).await?;
    Ok(partitions)
}

/// Computes the sums of those partitions again in which they are wrong, raw events being right.
///
/// # Errors
/// When ClickHouse does not do it.
pub async fn sum_wrong_again(sink: &Sink, target: &Target) -> Result<Vec<String>, Error> {
    let partitions = sink.wrong_partitions(&target.table, AGGREGATED).await?;
    if !partitions.is_empty() {
        sum_again(sink, &target.table, &partitions).await?;
    }
    Ok(partitions)
}

/// Writes what the store has between two positions beside the table; gives number and hash.
async fn write_beside(
    connection: &mut Connection,
    sink: &Sink,
    generation: i32,
    (first, last): (i64, i64),
    tenure: &Tenure,
) -> Result<(i64, u64), Error> {
    let beside = Target { generation, table: RAW_BESIDE.to_owned(), aggregated: AGGREGATED_BESIDE.to_owned() };
    let (mut after, mut events, mut hash) = (first - 1, 0, 0_u64);
    while let Some((read_to, body)) = read(connection, after, last, RANGE_EVENTS_MAX).await? {
        events += body.events;
        hash = hash.wrapping_add(body.hash);
        let range = Range::of(generation, after + 1, read_to, &body);
        super::insert(sink, &connection.domain().layout, &beside, &range, tenure.until()).await?;
        super::verify(connection, sink, &beside, &range).await?;
        after = read_to;
    }
    Ok((events, hash))
}
