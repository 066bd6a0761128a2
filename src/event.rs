//! What an event is once it has been read, and what a message is that could not be.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::json::RawJson;

/// An event that passed every gate: its envelope is read, its data fits its contract (if it has one).
#[derive(Debug, Clone)]
pub struct Event {
    /// The event's identity, the key of deduplication everywhere.
    pub id: Uuid,
    /// `<domain>.<entity>.<action>`, equal to the subject it was published on.
    pub event_type: String,
    /// The version of the contract it was written for, `v1` where the envelope names none.
    pub version: String,
    /// When it happened (event time), UTC, whole microseconds.
    pub timestamp: DateTime<Utc>,
    /// For tracing.
    pub correlation_id: Option<Uuid>,
    /// The event that caused this one.
    pub causation_id: Option<Uuid>,
    /// The person whom the event itself names, as the contract's `x-user` says.
    pub user_id: Option<Uuid>,
    /// Equal exactly when type, instant and data are equal by value, whatever the envelope or spelling.
    pub content_hash: Uuid,
    /// What becomes of it.
    pub route: Route,
    /// The data, normalised by its contract: UUIDs and e-mails in lower case, instants in UTC, nulls of known fields dropped.
    pub data: Value,
    /// The envelope's free `metadata` object.
    pub metadata: Option<Value>,
    /// The document as it was received.
    pub payload: RawJson,
    /// The rows that must exist before it can be projected.
    pub references: Vec<Reference>,
}

/// What becomes of a readable event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// It has a contract: the index into [`crate::domain::Domain::contracts`].
    Contract(usize),
    /// Its type, or its version, has no contract: stored, not projected.
    Unrouted,
    /// Our own outbox published it: stored, no effect.
    Own,
}

/// A row that an event refers to: an entity of `stream.toml` and the key of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Index into [`crate::domain::Domain::entities`].
    pub entity: usize,
    /// The key of the row.
    pub key: Uuid,
}

/// Why a message is a dead letter. The names are the fixed interface: they stand in tables, metrics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The bytes are not one JSON document.
    NotJson,
    /// Longer than the limit.
    TooLarge,
    /// Nested deeper than the limit.
    TooDeep,
    /// An object has the same key twice.
    DuplicateKey,
    /// A byte order mark, a NUL or a lone surrogate, also escaped.
    BadCharacter,
    /// A number outside f64, or a literal with too many digits.
    BadNumber,
    /// Not an object, or no usable id, type, timestamp or data.
    Envelope,
    /// The type does not equal the subject.
    SubjectMismatch,
    /// The data breaks the contract of its type.
    Contract,
    /// The id is that of another event.
    IdConflict,
    /// Content that only the database refuses.
    Database,
}

impl Reason {
    /// Every reason, in the order of the gates.
    pub const ALL: [Self; 12] = [
        Self::TooLarge,
        Self::NotUtf8,
        Self::BadCharacter,
        Self::TooDeep,
        Self::BadNumber,
        Self::NotJson,
        Self::DuplicateKey,
        Self::Envelope,
        Self::SubjectMismatch,
        Self::Contract,
        Self::IdConflict,
        Self::Database,
    ];

    /// The code in tables, labels and reports.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::DuplicateKey => "duplicate_key",
            Self::BadCharacter => "bad_character",
            Self::BadNumber => "bad_number",
            Self::Envelope => "envelope",
            Self::SubjectMismatch => "subject_mismatch",
            Self::Contract => "contract",
            Self::IdConflict => "id_conflict",
            Self::Database => "database",
        }
    }
}

/// A message that cannot become an event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which gate it failed.
    pub reason: Reason,
    /// JSON pointer to the field at fault, where one can be named.
    pub field: Option<String>,
    /// What is wrong, for a person. Never quotes text of the payload: it may be personal.
    pub message: String,
    /// The event id, where it could be read.
    pub event_id: Option<Uuid>,
    /// The event type, where it could be read.
    pub event_type: Option<String>,
}

impl Rejection {
    /// A rejection that knows no event yet.
    #[must_use]
    pub fn new(reason: Reason, field: Option<String>, message: impl Into<String>) -> Self {
        Self { reason, field, message: message.into(), event_id: None, event_type: None }
    }
}

/// How a message ended. Every message of the stream has exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It had its effect.
    Applied,
    /// Its event had been taken before.
    Duplicate,
    /// Stored; held back until what it refers to exists.
    Waiting,
    /// Stored; its type or version has no contract.
    Unrouted,
    /// Set aside with its raw bytes.
    DeadLetter,
    /// Stored; our own outbox had published it.
    Own,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Applied, Self::Duplicate, Self::Waiting, Self::Unrouted, Self::DeadLetter, Self::Own];

    /// The label in metrics and in the accounting.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Waiting => "waiting",
            Self::Unrouted => "unrouted",
            Self::DeadLetter => "dead_letter",
            Self::Own => "own",
        }
    }
}
