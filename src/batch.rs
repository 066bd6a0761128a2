//! A batch on its way: what was fetched and decoded, and the ledger of what became of each message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::event::{Event, Outcome, Reason, Reference, Rejection, Route};

/// One message as it came from the stream, with what decoding made of it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The subject it was published on.
    pub subject: String,
    /// The bytes as they came.
    pub payload: Bytes,
    /// Its headers, where it has any, as a JSON object of arrays.
    pub headers: Option<String>,
    /// Its sequence in the stream; `None` when it does not come from the stream.
    pub sequence: Option<u64>,
    /// When the stream took it.
    pub published_at: DateTime<Utc>,
    /// The event, or why it is none.
    pub content: Result<Event, Rejection>,
}

/// Whether the outside is told what events change for people. What time alone changes is told in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As it happens: every change has its event in the outbox.
    Told,
    /// History: flags and milestones follow, and nobody is told.
    Silent,
}

/// Keys by which events name a row that has another key: (message, key as named) → the row's own.
pub type Renamed = HashMap<(usize, Uuid), Uuid>;

/// Messages that are committed together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In the order of the stream.
    pub messages: Vec<Message>,
}

impl Batch {
    /// The event of a message that decoded. Indexes of a [`Ledger`] always name one.
    ///
    /// # Panics
    /// When the message is not an event.
    #[must_use]
    pub fn event(&self, index: usize) -> &Event {
        self.messages[index].content.as_ref().expect("invariant: the ledger lists only messages that decoded")
    }

    /// Each sequence once: what waited for longer than the ack wait was delivered again, into the same batch.
    #[must_use]
    pub fn each_once(mut self) -> Self {
        let mut seen = HashSet::new();
        self.messages.retain(|message| message.sequence.is_none_or(|sequence| seen.insert(sequence)));
        self
    }

    /// Two halves, to find out which one holds the message that the database refuses.
    #[must_use]
    pub fn halves(mut self) -> (Self, Self) {
        let back = self.messages.split_off(self.messages.len() / 2);
        (self, Self { messages: back })
    }

    /// The same messages with the only one turned down.
    #[must_use]
    pub fn rejected(mut self, reason: Reason, message: &str) -> Self {
        for entry in &mut self.messages {
            if let Ok(event) = &entry.content {
                entry.content = Err(Rejection {
                    reason,
                    field: None,
                    message: message.to_owned(),
                    event_id: Some(event.id),
                    event_type: Some(event.event_type.clone()),
                });
            }
        }
        self
    }

    /// When the oldest message was published.
    #[must_use]
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.messages.iter().map(|message| message.published_at).min()
    }
}

/// What became of each message of a batch, filled in step by step inside one transaction.
///
/// A transaction that is tried again starts with a new ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    /// One per message.
    pub outcomes: Vec<Outcome>,
    /// Messages that are dead letters, and why.
    pub rejections: Vec<(usize, Rejection)>,
    /// Messages that wait, and for what.
    pub held: Vec<(usize, Vec<Reference>)>,
    /// Keys that derived tables have to look at again, by the index of the derivation.
    pub touched: BTreeMap<usize, BTreeSet<String>>,
    /// People into whose rows those of others were merged.
    pub merged: BTreeSet<Uuid>,
    /// Subjects whose keys are destroyed, and who was erased.
    pub erased: BTreeMap<Uuid, Uuid>,
    /// What messages refer to by another key than its own.
    pub renamed: Renamed,
    /// What projections counted.
    pub counted: BTreeMap<String, u64>,
    /// Messages with the id of an earlier one of the batch: (this one, the earlier one).
    pub repeats: Vec<(usize, usize)>,
    /// Per outcome, the messages whose sequence had not been handled before; set when the batch is recorded.
    pub recorded: HashMap<Outcome, u64>,
    /// The outcomes are those of long ago, of which only the record was lost: nothing has its effect by them.
    pub is_remembered: bool,
}

impl Ledger {
    /// A first verdict on each message: what can be said without asking the database.
    #[must_use]
    pub fn open(batch: &Batch) -> Self {
        let mut ledger = Self::default();
        let mut first: HashMap<Uuid, usize> = HashMap::new();
        for (index, message) in batch.messages.iter().enumerate() {
            let outcome = match &message.content {
                Err(rejection) => {
                    ledger.rejections.push((index, rejection.clone()));
                    Outcome::DeadLetter
                }
                Ok(event) => match first.get(&event.id) {
                    // Whether it tells the same is judged against the one that is stored, here or long ago.
                    Some(earlier) => {
                        ledger.repeats.push((index, *earlier));
                        Outcome::Duplicate
                    }
                    None => {
                        first.insert(event.id, index);
                        match event.route {
                            Route::Contract(_) => Outcome::Applied,
                            Route::Unrouted => Outcome::Unrouted,
                            Route::Own => Outcome::Own,
                        }
                    }
                },
            };
            ledger.outcomes.push(outcome);
        }
        ledger
    }

    /// The messages whose events are to be stored, by event id: the order in which every batch locks.
    #[must_use]
    pub fn to_store(&self, batch: &Batch) -> Vec<usize> {
        let stored = |outcome: Outcome| matches!(outcome, Outcome::Applied | Outcome::Unrouted | Outcome::Own);
        let mut indexes: Vec<usize> = (0..self.outcomes.len()).filter(|index| stored(self.outcomes[*index])).collect();
        indexes.sort_by_key(|index| batch.event(*index).id);
        indexes
    }

    /// The messages that are to be projected with this contract, oldest first.
    #[must_use]
    pub fn to_project(&self, batch: &Batch, contract: usize) -> Vec<usize> {
        let wanted = |index: &usize| {
            self.outcomes[*index] == Outcome::Applied && batch.event(*index).route == Route::Contract(contract)
        };
        (0..self.outcomes.len()).filter(wanted).collect()
    }

    /// The messages that are projected with any contract.
    #[must_use]
    pub fn to_project_all(&self, batch: &Batch) -> Vec<usize> {
        let is_read = |index: &usize| matches!(batch.event(*index).route, Route::Contract(_));
        let is_applied = |index: &usize| self.outcomes[*index] == Outcome::Applied;
        (0..self.outcomes.len()).filter(is_applied).filter(is_read).collect()
    }

    /// Events of the given messages that are in the store already, with the repeats of them in this batch. They are
    /// to be compared with what is stored.
    #[must_use]
    pub fn with_repeats(&mut self, known: &[usize]) -> Vec<usize> {
        let (of_known, others) = self.repeats.iter().partition(|(_, earlier)| known.contains(earlier));
        self.repeats = others;
        let of_known: Vec<(usize, usize)> = of_known;
        known.iter().copied().chain(of_known.into_iter().map(|(index, _)| index)).collect()
    }

    /// Judges the repeats of events that this batch itself stores.
    pub fn judge_repeats(&mut self, batch: &Batch) {
        for (index, earlier) in std::mem::take(&mut self.repeats) {
            if batch.event(index).content_hash != batch.event(earlier).content_hash {
                self.conflict(batch, index);
            }
        }
    }

    /// The event was taken before.
    pub fn duplicate(&mut self, index: usize) {
        self.outcomes[index] = Outcome::Duplicate;
    }

    /// The id belongs to another event.
    pub fn conflict(&mut self, batch: &Batch, index: usize) {
        self.outcomes[index] = Outcome::DeadLetter;
        self.rejections.push((index, conflict(batch.event(index))));
    }

    /// The event waits for these.
    pub fn hold(&mut self, index: usize, missing: Vec<Reference>) {
        self.outcomes[index] = Outcome::Waiting;
        self.held.push((index, missing));
    }

    /// How many messages ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.iter().filter(|found| **found == outcome).count()
    }
}

fn conflict(event: &Event) -> Rejection {
    Rejection {
        reason: Reason::IdConflict,
        field: None,
        message: "an event with this id but another type, time or data was taken before".into(),
        event_id: Some(event.id),
        event_type: Some(event.event_type.clone()),
    }
}
