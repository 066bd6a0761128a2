//! The audit: which messages of the stream were never handled, and whether it is still the stream that the books are
//! about. Only arithmetic on ranges of sequences: it costs as much as there are gaps, however long the stream is.

pub(crate) mod remembered;

use chrono::Utc;
use serde_json::json;

use crate::batch::Batch;
use crate::domain::Domain;
use crate::event::Outcome;
use crate::metrics;
use crate::pipeline::{Run, process_or_bisect, totals};
use crate::source::{self, Source, Standing, StreamState};
use crate::store::audit_logs::{Change, Operator};
use crate::store::{Connection, Incarnation};

/// Closed ranges of sequences, ascending.
pub type Ranges = Vec<(u64, u64)>;

/// Messages looked up and handled in one batch, at most.
const FILL_MESSAGES_MAX: usize = 500;
/// Bytes of messages after which no more are looked up for a batch.
const FILL_BYTES_MAX: usize = 4 << 20;
/// Messages looked up at a time.
const LOOKED_UP: usize = 25;

/// What the books and the stream say of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Messages that the stream still has to hand out, or that are being handled.
    pub pending: u64,
    /// Messages that it will never hand out (again) and that were not handled, with those that are lost.
    pub missing: u64,
    /// Of these, messages that it holds no more, as far as they are named.
    pub lost: u64,
    /// The missing messages that the stream holds: they can be filled. The first ones, where there are very many.
    pub held: Ranges,
    /// The missing messages that it holds no more; likewise.
    pub gone: Ranges,
    /// Why this is not the stream that the books are about.
    pub broken: Option<String>,
}

/// Compares the books with the stream.
///
/// # Errors
/// When one of the two cannot be read, or there is no consumer: one that is made again hands out everything anew.
pub async fn look(connection: &mut Connection, source: &Source) -> anyhow::Result<Audit> {
    // The stream first, then the consumer, then the books: what was acknowledged by then was committed before, and is
    // in books that are read later. What is handled while we look is at worst more than the stream had.
    let stream = source.stream_state().await?;
    let standing = source.standing().await?;
    compare(connection, source, &stream, Some(&standing)).await
}

/// As [`look`]; without a consumer nobody will hand out anything, so that all that was not handled is missing.
///
/// # Errors
/// When one of the two cannot be read.
pub async fn look_at_all(connection: &mut Connection, source: &Source) -> anyhow::Result<Audit> {
    let stream = source.stream_state().await?;
    let standing = match source.standing().await {
        Err(source::Error::NoConsumer { .. }) => None,
        standing => Some(standing?),
    };
    compare(connection, source, &stream, standing.as_ref()).await
}

async fn compare(
    connection: &mut Connection,
    source: &Source,
    stream: &StreamState,
    standing: Option<&Standing>,
) -> anyhow::Result<Audit> {
    let known = connection.known_incarnation().await?;
    let first =
        known.filter(|(incarnation, _)| *incarnation == stream.incarnation).map_or(stream.first, |(_, first)| first);
    let settled = settled(stream, standing);
    let (missing, ranges) = connection.unhandled(stream.incarnation, first.max(1), settled).await?;
    let (pending, _) = connection.unhandled(stream.incarnation, first.max(settled + 1), stream.last).await?;
    // What is below the first message needs no list to be known as gone.
    let deleted = match ranges.iter().any(|(_, high)| *high >= stream.first) {
        true => source.deleted().await?,
        false => Vec::new(),
    };
    let (held, gone) = split(&ranges, stream.first, &deleted);
    let broken = breach(connection, source).await?;
    Ok(Audit { pending, missing, lost: count(&gone), held, gone, broken })
}

/// A consumer of some subjects only leaves gaps of which the sequences do not tell whose they are.
#[must_use]
pub fn can_fill(domain: &Domain) -> bool {
    domain.consumer.filter_subjects.is_empty()
}

/// Handles missing messages that the stream holds, in order, at most one batch of them. Through the pipeline and under
/// their sequences: whoever handles one of them at the same moment, it counts once. What the tables show to have been
/// handled, only the books having lost it, is booked as it was. Gives how many were booked.
///
/// # Errors
/// When a message cannot be looked up, or as the database says; what was committed is booked.
pub async fn fill(
    connection: &mut Connection,
    source: &Source,
    run: &Run,
    held: &Ranges,
) -> anyhow::Result<Vec<(Outcome, u64)>> {
    let batch = first_of(source, held).await?;
    let (remembered, unknown) = remembered::book(connection, run, batch).await?;
    let mut done = vec![remembered];
    let processing = process_or_bisect(connection, run, &unknown, Utc::now, &mut done);
    let processed = Box::pin(processing).await;
    done.iter().for_each(metrics::counted_by_domain);
    processed?;
    Ok(totals(&done))
}

/// The first of these messages, as many as a batch may have.
async fn first_of(source: &Source, held: &Ranges) -> Result<Batch, source::Error> {
    let sequences: Vec<u64> = held.iter().flat_map(|(low, high)| *low..=*high).take(FILL_MESSAGES_MAX).collect();
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for some in sequences.chunks(LOOKED_UP) {
        let found = source.messages(some).await?;
        bytes += found.iter().map(|message| message.payload.len()).sum::<usize>();
        messages.extend(found);
        if bytes >= FILL_BYTES_MAX {
            break;
        }
    }
    Ok(Batch { messages })
}

/// Gives up what the stream holds no more; gives how many messages.
///
/// # Errors
/// When one of the two cannot be asked.
pub async fn write_off(connection: &mut Connection, source: &Source, operator: &Operator) -> anyhow::Result<u64> {
    let incarnation = source.incarnation().await?;
    let audit = look_at_all(connection, source).await?;
    if audit.lost > 0 {
        let change = Change::of("prove.write_off", "handled_sequences", json!({"messages": audit.lost}));
        connection.write_off(incarnation, &audit.gone, (operator, &change)).await?;
    }
    Ok(audit.lost)
}

/// Up to here everything was handed out and acknowledged, or is gone.
fn settled(stream: &StreamState, standing: Option<&Standing>) -> u64 {
    // Above the acknowledgement floor the consumer hands out whatever is not acknowledged; below it nothing, and
    // what the stream no longer holds nobody can. Without anything to do it has no floor: then all is acknowledged.
    let busy = standing.filter(|standing| standing.pending + standing.unacknowledged > 0);
    let floor = busy.map_or(stream.last, |standing| standing.ack_floor.min(stream.last));
    floor.max(stream.first.saturating_sub(1))
}

/// Cuts missing ranges into what the stream holds and what is gone from it.
fn split(missing: &Ranges, first: u64, deleted: &[u64]) -> (Ranges, Ranges) {
    let (mut held, mut gone) = (Ranges::new(), Ranges::new());
    for (low, high) in missing {
        if *low < first {
            gone.push((*low, (*high).min(first - 1)));
        }
        let mut next = (*low).max(first);
        let from = deleted.partition_point(|sequence| *sequence < next);
        for sequence in deleted[from..].iter().take_while(|sequence| *sequence <= high) {
            append(&mut held, next, sequence - 1);
            append(&mut gone, *sequence, *sequence);
            next = sequence + 1;
        }
        append(&mut held, next, *high);
    }
    (held, gone)
}

/// Adds a range that may be empty, or the continuation of the last one.
fn append(ranges: &mut Ranges, low: u64, high: u64) {
    if low > high {
        return;
    }
    match ranges.last_mut() {
        Some(last) if last.1 + 1 == low => last.1 = high,
        _ => ranges.push((low, high)),
    }
}

fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(low, high)| high - low + 1).sum()
}

/// Why this is not, or not any more, the stream that the books are about.
///
/// # Errors
/// When one of the two cannot be read.
pub async fn breach(connection: &mut Connection, source: &Source) -> anyhow::Result<Option<String>> {
    let Some((known, _)) = connection.known_incarnation().await? else {
        return Ok(None);
    };
    // The books first: what another process publishes and handles meanwhile is no end that was lost.
    let top = connection.last_handled(known).await?;
    let newest = connection.newest_stored(known).await?;
    let stream = source.stream_state().await?;
    if let Some(problem) = broken_stream(known, top, &stream) {
        return Ok(Some(problem));
    }
    // An end that was lost and has grown again since: what stands at a sequence is another message now.
    let Some((sequence, event_id)) = newest else {
        return Ok(None);
    };
    let found = source.messages(&[sequence]).await?;
    let named = found.first().and_then(|message| match &message.content {
        Ok(event) => Some(event.id),
        Err(rejection) => rejection.event_id,
    });
    Ok(named.filter(|id| *id != event_id).map(|id| {
        format!(
            "the stream gave used sequences anew: {sequence} was event {event_id}, and is {id} now; it was restored from \
             an older copy\n  {HINT_ANEW}"
        )
    }))
}

const HINT_ANEW: &str = "hint: delete and create the stream again (`milepost streams apply --adopt`) and let publishers \
                         repeat what was lost; nothing takes effect twice";

fn broken_stream(known: Incarnation, top: u64, stream: &StreamState) -> Option<String> {
    if known != stream.incarnation {
        return Some(format!(
            "the stream was deleted and created again: it was created at {}, the books are about the one of {}\n  \
             hint: if that was on purpose, run `milepost streams apply --adopt`; events that were taken before stay taken",
            stream.incarnation.0, known.0
        ));
    }
    (top > stream.last).then(|| {
        format!(
            "the stream lost its end: it holds sequences up to {}, but {top} was handled; it was truncated or restored \
             from an older copy, and gives used sequences anew\n  {HINT_ANEW}",
            stream.last
        )
    })
}

/// Stops a service that would read a stream which is not the one it knows.
///
/// # Errors
/// When one of the two cannot be read; `Ok(Err(…))` explains what is wrong with the stream.
pub async fn check_stream(connection: &mut Connection, source: &Source) -> anyhow::Result<Result<Incarnation, String>> {
    let Some((known, _)) = connection.known_incarnation().await? else {
        let stream = source.stream_state().await?;
        connection.adopt(stream.incarnation, stream.first).await?;
        return Ok(Ok(stream.incarnation));
    };
    Ok(breach(connection, source).await?.map_or(Ok(known), Err))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn stream(first: u64, last: u64) -> StreamState {
        StreamState { incarnation: Incarnation(DateTime::UNIX_EPOCH), first, last }
    }

    #[test]
    fn what_the_consumer_will_still_hand_out_is_not_missing() {
        let idle = Standing { pending: 0, unacknowledged: 0, ack_floor: 4 };
        let busy = Standing { pending: 3, unacknowledged: 1, ack_floor: 4 };
        assert_eq!(settled(&stream(1, 8), Some(&idle)), 8);
        assert_eq!(settled(&stream(1, 8), Some(&busy)), 4);
        assert_eq!(settled(&stream(1, 3), Some(&busy)), 3);
        assert_eq!(settled(&stream(7, 8), Some(&busy)), 6, "what is gone, nobody hands out");
        assert_eq!(settled(&stream(1, 8), None), 8);
        assert_eq!(settled(&stream(9, 8), Some(&busy)), 8);
    }

    #[test]
    fn what_is_missing_is_held_or_gone() {
        let missing = vec![(3, 6), (8, 8), (11, 14)];
        assert_eq!(split(&missing, 1, &[]), (missing.clone(), vec![]));
        assert_eq!(split(&missing, 5, &[]), (vec![(5, 6), (8, 8), (11, 14)], vec![(3, 4)]));
        assert_eq!(
            split(&missing, 5, &[5, 7, 8, 12]),
            (vec![(6, 6), (11, 11), (13, 14)], vec![(3, 5), (8, 8), (12, 12)])
        );
        assert_eq!(split(&missing, 20, &[]), (vec![], missing.clone()));
    }

    #[test]
    fn another_stream_of_the_same_name_is_noticed() {
        let state = stream(1, 8);
        assert_eq!(broken_stream(state.incarnation, 8, &state), None);
        assert!(broken_stream(state.incarnation, 9, &state).expect("truncated").contains("lost its end"));
        let other = Incarnation(DateTime::from_timestamp(1, 0).expect("a time"));
        assert!(broken_stream(other, 0, &state).expect("recreated").contains("created again"));
    }
}
