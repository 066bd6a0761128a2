//! Replacing ranges in ClickHouse by what the event store has: partition by partition, never by inserting again into a
//! table that is read.

use std::time::Duration;

use super::{Error, Target, Writer, read};
use crate::feed::{RANGE_EVENTS_MAX, Range};
use crate::sink::Sink;
use crate::store::Connection;

/// Spans of positions named in one query; ClickHouse takes some thousands.
const SPANS_MAX: usize = 1000;
/// Where replaced partitions are prepared; the epoch of our lease follows, so that nobody else prepares there.
const RAW_BESIDE: &str = "events_raw_repair_";
const AGGREGATED_BESIDE: &str = "events_aggregated_repair_";
/// The longest that copying a partition, or comparing its sums, may take.
pub(super) const COPY_SECONDS_MAX: u64 = 600;

impl Writer<'_> {
    /// Replaces ranges, in order, and with them the partitions that they have rows in; gives the partitions. Our lease
    /// keeps everybody else from writing. Killed at any point, it is simply done again.
    ///
    /// # Errors
    /// When one of the two databases fails; what is read is then as before or partly replaced.
    pub async fn replace(&self, connection: &mut Connection, ranges: &[(i64, i64)]) -> Result<Vec<String>, Error> {
        let mut partitions = Vec::new();
        let mut rest = ranges;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(nameable(rest));
            partitions.extend(Box::pin(self.replace_some(connection, some)).await?);
            rest = others;
        }
        partitions.sort();
        partitions.dedup();
        Ok(partitions)
    }

    async fn replace_some(&self, connection: &mut Connection, ranges: &[(i64, i64)]) -> Result<Vec<String>, Error> {
        let table = &self.target.table;
        let beside = self.beside();
        self.make_beside(table, RAW_BESIDE, &beside.table).await?;
        let mut resealed = Vec::new();
        for (first, last) in ranges {
            let outdated = connection.outdated_between(*first, *last).await?;
            let range = Writer { target: &beside, ..*self }.write(connection, (*first, *last)).await?;
            resealed.push((range, outdated));
        }
        // A month that was dropped while we read is in nothing that was written, and would be gone from ClickHouse too.
        connection.verify_replaceable(ranges).await?;
        let within = within(ranges);
        let mut partitions = self.sink.partitions(&beside.table, "true").await?;
        partitions.extend(self.sink.partitions(table, &within).await?);
        partitions.sort();
        partitions.dedup();
        self.keep_but(&within, &beside.table, &partitions).await?;
        self.sum_again(&partitions).await?;
        for (range, outdated) in resealed {
            connection.replaced(&range, &outdated).await?;
        }
        Ok(partitions)
    }

    /// Puts partitions in their place that have what is there, but for such rows, and what has been prepared.
    async fn keep_but(&self, such: &str, beside: &str, partitions: &[String]) -> Result<(), Error> {
        let table = &self.target.table;
        for partition in partitions {
            let kept = format!("select * from {table} where _partition_id = '{partition}' and not {such}");
            self.patient().fill(beside, &kept).await?;
        }
        for partition in partitions {
            self.put_in_place(table, beside, partition).await?;
        }
        self.sink.remove(beside).await?;
        Ok(())
    }

    /// Computes the sums of some partitions again from the raw events there.
    async fn sum_again(&self, partitions: &[String]) -> Result<(), Error> {
        let (Target { table, aggregated, .. }, beside) = (self.target, self.beside().aggregated);
        self.make_beside(aggregated, AGGREGATED_BESIDE, &beside).await?;
        for partition in partitions {
            let source = format!("(select * from {table} where _partition_id = '{partition}')");
            let query = self.sink.aggregation(&source).await?;
            self.patient().fill(&beside, &query).await?;
            self.put_in_place(aggregated, &beside, partition).await?;
        }
        self.sink.remove(&beside).await?;
        Ok(())
    }

    /// Computes the sums of the partitions again that a range has rows in.
    pub(super) async fn sum_again_around(&self, range: &Range) -> Result<(), Error> {
        let Range { first, last, .. } = range;
        let condition = format!("position between {first} and {last}");
        let partitions = self.sink.partitions(&self.target.table, &condition).await?;
        self.sum_again(&partitions).await
    }

    /// Takes out rows of positions that were never sealed; gives the partitions.
    ///
    /// # Errors
    /// When one of the two databases fails.
    pub async fn remove_strays(&self, connection: &mut Connection) -> Result<Vec<String>, Error> {
        let sealed = connection.last_sealed(self.target.generation).await?;
        let stray = format!("(position > {sealed} or position = 0)");
        let partitions = self.sink.partitions(&self.target.table, &stray).await?;
        if !partitions.is_empty() {
            let beside = self.beside().table;
            self.make_beside(&self.target.table, RAW_BESIDE, &beside).await?;
            self.keep_but(&stray, &beside, &partitions).await?;
            self.sum_again(&partitions).await?;
        }
        Ok(partitions)
    }

    /// Computes the sums of those partitions again in which they are wrong, raw events being right; gives them.
    ///
    /// # Errors
    /// When ClickHouse does not do it.
    pub async fn sum_wrong_again(&self, hours: &str) -> Result<Vec<String>, Error> {
        let Target { table, aggregated, .. } = self.target;
        let partitions = self.sink.wrong_partitions(table, aggregated, hours).await?;
        if !partitions.is_empty() {
            self.sum_again(&partitions).await?;
        }
        Ok(partitions)
    }

    /// The tables in which we prepare.
    fn beside(&self) -> Target {
        let named = |begin: &str| format!("{begin}{}", self.tenure.epoch);
        let Target { generation, .. } = *self.target;
        Target { generation, table: named(RAW_BESIDE), aggregated: named(AGGREGATED_BESIDE) }
    }

    /// Makes an empty table to prepare in; what others left behind, who had the lease before, is gone.
    async fn make_beside(&self, like: &str, begin: &str, name: &str) -> Result<(), Error> {
        for left in self.sink.named_like(begin).await? {
            self.tenure.fenced(self.sink, async |sink| sink.remove(&left).await).await?;
        }
        Ok(self.sink.make_like(like, name, "being prepared").await?)
    }

    /// Puts a partition that was prepared in its place.
    async fn put_in_place(&self, table: &str, beside: &str, partition: &str) -> Result<(), Error> {
        self.tenure.fenced(self.sink, async |sink| sink.replace_partition(table, beside, partition).await).await
    }

    /// Copying into a table that nobody reads may take its time, as long as the lease is renewed.
    pub(super) fn patient(&self) -> Sink {
        self.sink.clone().with_deadline(Duration::from_secs(COPY_SECONDS_MAX))
    }

    /// Writes what the store has between two positions; gives the range without its rows.
    async fn write(&self, connection: &mut Connection, (first, last): (i64, i64)) -> Result<Range, Error> {
        let generation = self.target.generation;
        let (mut after, mut events, mut hash) = (first - 1, 0, 0_u64);
        while let Some((read_to, body)) = read(connection, after, last, RANGE_EVENTS_MAX).await? {
            events += body.events;
            hash = hash.wrapping_add(body.hash);
            let range = Range::of(generation, after + 1, read_to, body);
            self.insert(&range).await?;
            self.verify(connection, &range).await?;
            after = read_to;
        }
        Ok(Range { generation, first, last, events, hash, body: bytes::Bytes::new() })
    }
}

/// How many of these ranges one query can name, neighbours being named as one.
fn nameable(ranges: &[(i64, i64)]) -> usize {
    let gaps = ranges.windows(2).enumerate().filter(|(_, two)| two[0].1 + 1 != two[1].0);
    gaps.map(|(index, _)| index + 1).nth(SPANS_MAX - 1).unwrap_or(ranges.len())
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
