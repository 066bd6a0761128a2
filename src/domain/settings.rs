//! What `stream.toml` says: the JetStream stream and consumer, the entities, what is derived.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::Files;
use super::written::File;
use crate::gate::Limits;

/// The JetStream stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// The subjects that it captures.
    pub subjects: Vec<String>,
    /// On disk (or in memory).
    pub is_file_storage: bool,
    /// What happens to events that were handled.
    pub retention: Retention,
    /// At a limit the oldest go (or new ones are refused).
    pub discards_old: bool,
    /// Oldest message kept; zero: no limit.
    pub max_age: Duration,
    /// Most bytes kept; zero: no limit.
    pub max_bytes: u64,
    /// How long the broker itself recognises a repeated `Nats-Msg-Id`.
    pub duplicate_window: Duration,
    /// Copies in a cluster.
    pub replicas: usize,
}

/// How long the broker keeps a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// Until a limit is met.
    Limits,
    /// Until every consumer acknowledged it.
    Interest,
    /// Until one consumer acknowledged it.
    WorkQueue,
}

/// The durable consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name, also the `consumer_id` in `event_deduplication`.
    pub durable: String,
    /// After this long without an acknowledgement a message is delivered again.
    pub ack_wait: Duration,
    /// Most messages delivered and not yet acknowledged.
    pub max_ack_pending: i64,
    /// Subjects to take; empty: all.
    pub filter_subjects: Vec<String>,
}

/// A kind of row that events refer to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// The name that contracts use.
    pub name: String,
    /// The table.
    pub table: String,
    /// Its key column, a uuid.
    pub column: String,
    /// A condition that the row must meet to count, in SQL over `row`.
    pub only: Option<String>,
    /// Other keys that mean its rows.
    pub aliases: Option<Aliases>,
}

/// Keys that mean a row besides its own: those that it had, or might have had. They must mean one row whatever comes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aliases {
    /// The table.
    pub table: String,
    /// Its column with the other key, a uuid, unique.
    pub alias: String,
    /// Its column with the row's own key.
    pub column: String,
}

/// A table that is a function of the events: a rebuild makes it anew from the event store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// Columns that do not follow from the events (ids that nothing gives, times of storing): not compared.
    #[serde(default)]
    pub apart: Vec<String>,
    /// The columns by which two rows are the same one; empty: those of the first unique key without any of `apart`.
    #[serde(default)]
    pub key: Vec<String>,
    /// A condition that a row must meet to be compared, in SQL over `row`.
    pub only: Option<String>,
    /// Tables that make sense only together with this one: they are put in place together.
    #[serde(default, rename = "with")]
    pub together: Vec<String>,
    /// Its rows are not compared at all: what they say is compared elsewhere.
    #[serde(skip)]
    pub is_internal: bool,
}

/// Everything in `stream.toml`.
#[derive(Debug)]
pub struct Settings {
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) consumer: Consumer,
    pub(super) limits: Limits,
    pub(super) event_log: String,
    pub(super) claims_kept: Option<Duration>,
    pub(super) entities: Vec<Entity>,
    pub(super) derived: Vec<Derived>,
    pub(super) mirrored: Vec<Mirrored>,
    pub(super) tables: Vec<Table>,
    pub(super) counters: BTreeMap<String, String>,
    pub(super) own_types: Vec<String>,
    pub(super) own_source: String,
    pub(super) import_batch: Option<String>,
    pub(super) privacy: Option<PrivacyTypes>,
}

/// Types of the events that tell what was done about somebody's data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivacyTypes {
    pub(super) exported: String,
    pub(super) erased: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derived {
    pub(super) name: String,
    /// The entity whose rows are locked first; none when it is derived later.
    pub(super) lock: Option<String>,
    #[serde(default)]
    pub(super) later: bool,
    /// Another one that is derived later, from whose notes this one is derived as well.
    pub(super) notes: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mirrored {
    pub(super) name: String,
    pub(super) sequence: String,
}

/// Tables of the engine that follow from the events, too.
pub(crate) const OF_THE_ENGINE: [&str; 6] =
    ["journey_facts", "journey_facts_merged", "journey_flags", "journey_milestones", "journey_timers", "touched_later"];

impl Settings {
    /// Reads `stream.toml`. A file that can be read but has faults is given too, so that more can be found.
    pub(super) fn parse(files: &Files, faults: &mut Vec<String>) -> Option<Self> {
        let Some(text) = files.get("stream.toml") else {
            faults.push("there is no stream.toml".to_owned());
            return None;
        };
        match toml::from_str::<File>(text) {
            Ok(file) => Some(file.resolve(faults)),
            Err(error) => {
                faults.push(format!("stream.toml: {}", error.to_string().trim()));
                None
            }
        }
    }
}
