//! Does everything add up? The books against the stream, sequence by sequence.

use serde::Serialize;

use crate::analytics::proof::FeedProof;
use crate::audit;
use crate::source::Source;
use crate::store::Connection;
use crate::store::prove::Books;

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
    /// Of these, messages that it holds no more.
    pub lost: u64,
    /// Messages that the stream still has to hand out, or that are being handled.
    pub pending: u64,
    /// The first missing ones, as closed ranges of sequences.
    pub missing_sequences: Vec<(u64, u64)>,
    /// The first lost ones, likewise.
    pub lost_sequences: Vec<(u64, u64)>,
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
    let audit = audit::look_at_all(connection, source).await?;
    let mut proof = add_up(&connection.books().await?);
    if !proof.problems.is_empty() {
        // A partition of the store that was made while we counted was not counted: looked at again, it is.
        proof = add_up(&connection.books().await?);
    }
    proof.pending = audit.pending;
    proof.missing = audit.missing;
    proof.lost = audit.lost;
    proof.missing_sequences = named(&audit.held, &audit.gone);
    proof.lost_sequences = named(&[], &audit.gone);
    let held = audit.missing - audit.lost;
    if held > 0 {
        proof.problems.push(format!(
            "{held} messages of the stream were acknowledged or lost and never handled\n  hint: `milepost run` finds \
             and handles them within a minute"
        ));
    }
    if audit.lost > 0 {
        proof.problems.push(format!(
            "{} messages were gone from the stream before they were handled\n  hint: let publishers repeat them, then \
             run `milepost prove --write-off`",
            audit.lost
        ));
    }
    proof.problems.extend(audit.broken);
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
        lost: 0,
        pending: 0,
        missing_sequences: Vec::new(),
        lost_sequences: Vec::new(),
        problems,
        analytics: None,
    }
}

/// The first ranges of both, in order.
fn named(some: &[(u64, u64)], others: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut all: Vec<(u64, u64)> = some.iter().chain(others).copied().collect();
    all.sort_unstable();
    all.truncate(NAMED_MAX);
    all
}
