//! Does everything add up? The books against the stream, sequence by sequence.

use serde::Serialize;

use crate::analytics::proof::FeedProof;
use crate::source::{Source, Standing, StreamState};
use crate::store::prove::Books;
use crate::store::{Connection, Incarnation};

/// Closed ranges of sequences, ascending.
type Ranges = Vec<(u64, u64)>;

/// Missing sequences named in the report.
const NAMED_MAX: usize = 20;

/// The result of a proof. Its JSON is a fixed interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Everything adds up; events may still wait, or be yet to be delivered.
    pub ok: bool,
    /// Messages handled.
    pub received: i64,
    /// Events that had their effect.
    pub applied: i64,
    /// Messages whose event had been taken before.
    pub duplicates: i64,
    /// Events held back.
    pub waiting: i64,
    /// Events without a contract.
    pub unrouted: i64,
    /// Messages in dead letters.
    pub dead_letters: i64,
    /// Events that our own outbox published.
    pub own: i64,
    /// Events in the store that came by a replay from elsewhere than the stream; they are in none of the above.
    pub replayed: i64,
    /// Messages that the stream will never hand out (again) and that were not handled.
    pub missing: u64,
    /// Messages that the stream still has to hand out, or that are being handled.
    pub pending: u64,
    /// The first missing ones, as closed ranges of sequences.
    pub missing_sequences: Vec<(u64, u64)>,
    /// What does not add up, in words.
    pub problems: Vec<String>,
    /// Whether ClickHouse has the same; nothing, where no ClickHouse is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analytics: Option<FeedProof>,
}

/// Compares the books with the stream.
///
/// # Errors
/// When one of the two cannot be read.
pub async fn prove(connection: &mut Connection, source: &Source) -> anyhow::Result<Proof> {
    // The stream first: what is handled while we look is then at worst more than the stream had.
    let stream = source.stream_state().await?;
    let standing = source.standing().await.ok();
    let known = connection.known_incarnation().await?;
    let handled = connection.handled(stream.incarnation).await?;
    let mut proof = add_up(&connection.books().await?);
    if !proof.problems.is_empty() {
        // A partition of the store that was made while we counted was not counted: looked at again, it is.
        proof = add_up(&connection.books().await?);
    }
    let first =
        known.filter(|(incarnation, _)| *incarnation == stream.incarnation).map_or(stream.first, |(_, first)| first);
    let (pending, missing) = unhandled(first, &stream, standing.as_ref(), &handled);
    proof.pending = count(&pending);
    proof.missing = count(&missing);
    proof.missing_sequences = missing.into_iter().take(NAMED_MAX).collect();
    if proof.missing > 0 {
        proof
            .problems
            .push(format!("{} messages of the stream were acknowledged or lost and never handled", proof.missing));
    }
    // Here the books first: what was published and handled meanwhile is no end that was lost.
    let stream = source.stream_state().await?;
    if let Some(problem) = broken_stream(known.map(|(incarnation, _)| incarnation), &handled, &stream) {
        proof.problems.push(problem);
    }
    proof.ok = proof.problems.is_empty();
    Ok(proof)
}

/// The books by themselves.
fn add_up(books: &Books) -> Proof {
    let mut problems = Vec::new();
    let mut equal = |left: i64, what_left: &str, right: i64, what_right: &str| {
        if left != right {
            problems.push(format!("{what_left}: {left}, but {what_right}: {right}"));
        }
    };
    let sum = books.applied + books.duplicates + books.waiting + books.unrouted + books.dead_letters + books.own;
    equal(books.received, "messages handled", sum, "sum of their outcomes");
    equal(books.waiting, "waiting events in the books", books.waiting_rows, "events that wait");
    equal(books.dead_letters, "dead letters in the books", books.dead_letter_rows, "messages in dead letters");
    let stored = books.applied + books.waiting + books.unrouted + books.own;
    equal(stored, "events that should be stored", books.stored, "events in the event store");
    Proof {
        ok: false,
        received: books.received,
        applied: books.applied,
        duplicates: books.duplicates,
        waiting: books.waiting,
        unrouted: books.unrouted,
        dead_letters: books.dead_letters,
        own: books.own,
        replayed: books.replayed,
        missing: 0,
        pending: 0,
        missing_sequences: Vec::new(),
        problems,
        analytics: None,
    }
}

/// Sequences that the stream held and nobody handled: those that are still to come, and those that are not.
fn unhandled(
    first: u64,
    stream: &StreamState,
    standing: Option<&Standing>,
    handled: &[(i64, i64)],
) -> (Ranges, Ranges) {
    let mut open = Vec::new();
    let mut next = first.max(1);
    let handled =
        handled.iter().filter_map(|(low, high)| Some((u64::try_from(*low).ok()?, u64::try_from(*high).ok()?)));
    let deleted = stream.deleted.iter().map(|sequence| (*sequence, *sequence));
    let mut covered: Vec<(u64, u64)> = handled.chain(deleted).collect();
    covered.sort_unstable();
    for (low, high) in covered {
        if low > next && next <= stream.last {
            open.push((next, (low - 1).min(stream.last)));
        }
        next = next.max(high + 1);
    }
    if next <= stream.last {
        open.push((next, stream.last));
    }
    // Above the acknowledgement floor the consumer hands out whatever is not acknowledged; below it nothing, and
    // what the stream no longer holds nobody can.
    let busy = standing.is_some_and(|standing| standing.pending + standing.unacknowledged > 0);
    let floor = standing.filter(|_| busy).map_or(u64::MAX, |standing| standing.ack_floor);
    let floor = floor.max(stream.first.saturating_sub(1));
    split_at(&open, floor)
}

/// Cuts ranges into those above and those up to a sequence.
fn split_at(ranges: &[(u64, u64)], floor: u64) -> (Ranges, Ranges) {
    let above =
        ranges.iter().filter(|(_, high)| *high > floor).map(|(low, high)| ((*low).max(floor.saturating_add(1)), *high));
    let upto = ranges.iter().filter(|(low, _)| *low <= floor).map(|(low, high)| (*low, (*high).min(floor)));
    (above.collect(), upto.collect())
}

fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(low, high)| high - low + 1).sum()
}

/// Whether this is still the stream whose sequences are in the books.
fn broken_stream(known: Option<Incarnation>, handled: &[(i64, i64)], stream: &StreamState) -> Option<String> {
    if let Some(known) = known.filter(|known| *known != stream.incarnation) {
        return Some(format!(
            "the stream was deleted and created again: it was created at {}, the books are about the one of {}\n  \
             hint: if that was on purpose, run `milepost streams apply --adopt`; events that were taken before stay taken",
            stream.incarnation.0, known.0
        ));
    }
    let top = handled.last().and_then(|(_, high)| u64::try_from(*high).ok()).unwrap_or_default();
    (top > stream.last).then(|| {
        format!(
            "the stream lost its end: it holds sequences up to {}, but {top} was handled; it was truncated or restored \
             from an older copy, and gives used sequences anew\n  hint: delete and create the stream again \
             (`milepost streams apply --adopt`) and let publishers repeat what was lost; nothing takes effect twice",
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
    // The books first: another process may handle what is published meanwhile.
    let handled = connection.handled(known).await?;
    let stream = source.stream_state().await?;
    Ok(broken_stream(Some(known), &handled, &stream).map_or(Ok(stream.incarnation), Err))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn stream(first: u64, last: u64, deleted: &[u64]) -> StreamState {
        StreamState { incarnation: Incarnation(DateTime::UNIX_EPOCH), first, last, deleted: deleted.to_vec() }
    }

    #[test]
    fn what_was_not_handled_is_pending_or_missing() {
        let idle = Standing { pending: 0, unacknowledged: 0, ack_floor: 10 };
        let busy = Standing { pending: 3, unacknowledged: 1, ack_floor: 4 };
        let handled = [(1, 2), (5, 5)];
        assert_eq!(unhandled(1, &stream(1, 8, &[]), Some(&idle), &handled), (vec![], vec![(3, 4), (6, 8)]));
        assert_eq!(unhandled(1, &stream(1, 8, &[]), Some(&busy), &handled), (vec![(6, 8)], vec![(3, 4)]));
        assert_eq!(unhandled(1, &stream(1, 8, &[3, 7]), Some(&busy), &handled), (vec![(6, 6), (8, 8)], vec![(4, 4)]));
        assert_eq!(unhandled(1, &stream(1, 5, &[3, 4]), None, &handled), (vec![], vec![]));
        assert_eq!(unhandled(4, &stream(9, 8, &[]), Some(&busy), &handled), (vec![], vec![(4, 4), (6, 8)]));
    }

    #[test]
    fn another_stream_of_the_same_name_is_noticed() {
        let state = stream(1, 8, &[]);
        assert_eq!(broken_stream(Some(state.incarnation), &[(1, 8)], &state), None);
        assert!(broken_stream(Some(state.incarnation), &[(1, 9)], &state).expect("truncated").contains("lost its end"));
        let other = Incarnation(DateTime::from_timestamp(1, 0).expect("a time"));
        assert!(broken_stream(Some(other), &[], &state).expect("recreated").contains("created again"));
    }
}
