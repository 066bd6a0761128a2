//! Replacing ranges in ClickHouse by what the event store has: partition by partition, never by inserting again into a
//! table that is read.

use crate::feed::{RANGE_EVENTS_MAX, Range};
use crate::sink::Sink;
use crate::store::Connection;

use super::tenure::Tenure;
use super::{Error, Target, read};

/// Spans of positions named in one query; ClickHouse takes some thousands.
const SPANS_MAX: usize = 1000;
/// Where replaced partitions are prepared.
const RAW_BESIDE: &str = "events_raw_repair";
const AGGREGATED_BESIDE: &str = "events_aggregated_repair";

/// Replaces ranges, in order, and with them the partitions that they have rows in. Our lease keeps everybody else from
/// writing. Killed at any point, it is simply done again.
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
    let mut partitions = Vec::new();
    let mut rest = ranges;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(nameable(rest));
        partitions.extend(replace_some(connection, sink, target, some, tenure).await?);
        rest = others;
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

/// How many of these ranges one query can name, neighbours being named as one.
fn nameable(ranges: &[(i64, i64)]) -> usize {
    let gaps = ranges.windows(2).enumerate().filter(|(_, two)| two[0].1 + 1 != two[1].0);
    gaps.map(|(index, _)| index + 1).nth(SPANS_MAX - 1).unwrap_or(ranges.len())
}

async fn replace_some(
    connection: &mut Connection,
    sink: &Sink,
    target: &Target,
    ranges: &[(i64, i64)],
    tenure: &Tenure,
) -> Result<Vec<String>, Error> {
    sink.make_like(&target.table, RAW_BESIDE, "being prepared").await?;
    let mut resealed = Vec::new();
    for (first, last) in ranges {
        let outdated = connection.outdated_between(*first, *last).await?;
        let range = write_beside(connection, sink, target.generation, (*first, *last), tenure).await?;
        resealed.push((range, outdated));
    }
    let within = within(ranges);
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
    sum_again(sink, target, &partitions).await?;
    for (range, outdated) in resealed {
        connection.replaced(&range, &outdated).await?;
    }
    sink.remove(RAW_BESIDE).await?;
    Ok(partitions)
}

/// SQL for the positions of some ranges.
fn within(ranges: &[(i64, i64)]) -> String {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for (first, last) in ranges {
        match spans.last_mut() {
            Some(span) if span.1 + 1 == *first => span.1 = *last,
            _ => spans.push((*first, *last)),
        }
    }
    let spans: Vec<String> = spans.iter().map(|(first, last)| format!("position between {first} and {last}")).collect();
    format!("({})", spans.join(" or "))
}

/// Computes the sums of some partitions again from the raw events there.
///
/// # Errors
/// When ClickHouse does not do it.
pub async fn sum_again(sink: &Sink, target: &Target, partitions: &[String]) -> Result<(), Error> {
    let Target { table: raw, aggregated, .. } = target;
    sink.make_like(aggregated, AGGREGATED_BESIDE, "being prepared").await?;
    for partition in partitions {
        let source = format!("(select * from {raw} where _partition_id = '{partition}')");
        sink.fill(AGGREGATED_BESIDE, &sink.aggregation(&source).await?).await?;
        sink.replace_partition(aggregated, AGGREGATED_BESIDE, partition).await?;
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
    sum_again(sink, target, &partitions).await?;
    Ok(partitions)
}

/// Computes the sums of those partitions again in which they are wrong, raw events being right.
///
/// # Errors
/// When ClickHouse does not do it.
pub async fn sum_wrong_again(sink: &Sink, target: &Target, hours: &str) -> Result<Vec<String>, Error> {
    let partitions = sink.wrong_partitions(&target.table, &target.aggregated, hours).await?;
    if !partitions.is_empty() {
        sum_again(sink, target, &partitions).await?;
    }
    Ok(partitions)
}

/// Sees to the sums of a range whose rows are there: an insert that was broken off may have stopped before the view, and
/// its repeat may find the rows and not know its name any more.
///
/// # Errors
/// When ClickHouse does not do it.
pub async fn complete_sums(sink: &Sink, target: &Target, (first, last): (i64, i64)) -> Result<(), Error> {
    let range = format!("(select * from {} where position between {first} and {last})", target.table);
    let hours = format!("hour in (select hour from ({}))", sink.aggregation(&range).await?);
    sum_wrong_again(sink, target, &hours).await.map(|_| ())
}

/// Writes what the store has between two positions beside the table; gives the range without its rows.
async fn write_beside(
    connection: &mut Connection,
    sink: &Sink,
    generation: i32,
    (first, last): (i64, i64),
    tenure: &Tenure,
) -> Result<Range, Error> {
    let beside = Target { generation, table: RAW_BESIDE.to_owned(), aggregated: AGGREGATED_BESIDE.to_owned() };
    let (mut after, mut events, mut hash) = (first - 1, 0, 0_u64);
    while let Some((read_to, body)) = read(connection, after, last, RANGE_EVENTS_MAX).await? {
        events += body.events;
        hash = hash.wrapping_add(body.hash);
        let range = Range::of(generation, after + 1, read_to, body);
        super::insert(sink, &beside, &range, tenure.until()).await?;
        super::verify(connection, sink, &beside, &range).await?;
        after = read_to;
    }
    Ok(Range { generation, first, last, events, hash, body: bytes::Bytes::new(), text: None })
}
