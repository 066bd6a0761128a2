//! `stream.toml`: the JetStream stream and consumer in human units, the entities, what is derived. Strict keys.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::Files;
use crate::gate::Limits;

/// The shortest time for which claims are kept.
const CLAIMS_KEPT_MIN: Duration = Duration::from_hours(24);

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
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derived {
    pub(super) name: String,
    /// The entity whose rows are locked first; none when it is derived later.
    pub(super) lock: Option<String>,
    #[serde(default)]
    pub(super) later: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mirrored {
    pub(super) name: String,
    pub(super) sequence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    stream: StreamTable,
    consumer: ConsumerTable,
    #[serde(default)]
    limits: LimitsTable,
    store: StoreTable,
    #[serde(default)]
    retention: RetentionTable,
    #[serde(default)]
    entities: Vec<Entity>,
    #[serde(default)]
    derived: Vec<Derived>,
    #[serde(default)]
    mirrored: Vec<Mirrored>,
    #[serde(default)]
    tables: BTreeMap<String, Table>,
    #[serde(default)]
    counters: BTreeMap<String, String>,
    #[serde(default)]
    own: OwnTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamTable {
    name: String,
    subjects: Vec<String>,
    #[serde(default)]
    storage: Storage,
    #[serde(default = "limits_retention")]
    retention: Retention,
    #[serde(default)]
    discard: Discard,
    #[serde(default)]
    max_age: Option<String>,
    #[serde(default)]
    max_bytes: Option<String>,
    #[serde(default)]
    duplicate_window: Option<String>,
    #[serde(default = "one")]
    replicas: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerTable {
    durable: String,
    ack_wait: String,
    max_ack_pending: i64,
    #[serde(default)]
    filter_subjects: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    event_bytes_max: Option<String>,
    event_depth_max: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    event_log: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RetentionTable {
    claims: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct OwnTable {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Storage {
    #[default]
    File,
    Memory,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Discard {
    #[default]
    Old,
    New,
}

fn limits_retention() -> Retention {
    Retention::Limits
}

fn one() -> usize {
    1
}

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

impl File {
    fn resolve(self, faults: &mut Vec<String>) -> Settings {
        for name in self.entities.iter().flat_map(|entity| [&entity.name, &entity.table, &entity.column]) {
            identifier("entities", name, faults);
        }
        for name in self.counters.keys().chain([&self.store.event_log]) {
            identifier("name", name, faults);
        }
        for name in self.mirrored.iter().flat_map(|mirrored| [&mirrored.name, &mirrored.sequence]) {
            identifier("mirrored", name, faults);
        }
        let tables = tables(self.tables, faults);
        let stream = Stream {
            name: self.stream.name,
            subjects: self.stream.subjects,
            is_file_storage: self.stream.storage == Storage::File,
            retention: self.stream.retention,
            discards_old: self.stream.discard == Discard::Old,
            max_age: duration("stream.max_age", self.stream.max_age.as_deref(), "0s", faults),
            max_bytes: bytes("stream.max_bytes", self.stream.max_bytes.as_deref(), "0B", faults),
            duplicate_window: duration(
                "stream.duplicate_window",
                self.stream.duplicate_window.as_deref(),
                "2m",
                faults,
            ),
            replicas: self.stream.replicas,
        };
        let consumer = Consumer {
            durable: self.consumer.durable,
            ack_wait: duration("consumer.ack_wait", Some(&self.consumer.ack_wait), "60s", faults),
            max_ack_pending: self.consumer.max_ack_pending,
            filter_subjects: self.consumer.filter_subjects,
        };
        if consumer.max_ack_pending < 1 {
            faults.push("stream.toml: consumer.max_ack_pending must be at least 1".into());
        }
        let event_bytes = bytes("limits.event_bytes_max", self.limits.event_bytes_max.as_deref(), "256KiB", faults);
        let claims = self.retention.claims.as_deref();
        let claims_kept = claims.map(|text| duration("retention.claims", Some(text), "0s", faults));
        // A publisher's repetitions and the consumer's redeliveries are to find the claim, not the id that is left of it.
        let least = CLAIMS_KEPT_MIN.max(stream.duplicate_window).max(consumer.ack_wait);
        if claims_kept.is_some_and(|kept| kept < least) {
            let least = humantime::format_duration(least);
            faults.push(format!(
                "stream.toml: retention.claims must be at least {least}\n  hint: \"90 days\" is usual; without the key \
                 claims are kept for ever"
            ));
        }
        Settings {
            name: self.name,
            stream,
            consumer,
            limits: Limits {
                event_bytes_max: usize::try_from(event_bytes).unwrap_or(usize::MAX),
                event_depth_max: self.limits.event_depth_max.unwrap_or(64),
            },
            event_log: self.store.event_log,
            claims_kept,
            entities: self.entities,
            derived: self.derived,
            mirrored: self.mirrored,
            tables,
            counters: self.counters,
            own_types: self.own.types,
            own_source: self.own.source,
        }
    }
}

/// Tables of the engine that follow from the events, too.
pub(crate) const OF_THE_ENGINE: [&str; 5] =
    ["journey_facts", "journey_flags", "journey_milestones", "journey_timers", "touched_later"];

/// Every name is checked, because it becomes part of SQL.
fn tables(declared: BTreeMap<String, Table>, faults: &mut Vec<String>) -> Vec<Table> {
    for (name, table) in &declared {
        for name in [name].into_iter().chain(&table.apart).chain(&table.key) {
            identifier("tables", name, faults);
        }
        let is_known = |other: &&String| declared.contains_key(*other) || OF_THE_ENGINE.contains(&other.as_str());
        for other in table.together.iter().filter(|other| !is_known(other)) {
            faults.push(format!("stream.toml: tables: {name} is with {other}, which is not declared"));
        }
    }
    declared.into_iter().map(|(name, table)| Table { name, ..table }).collect()
}

/// Names that become part of SQL or of a metric are plain lower-case identifiers.
fn identifier(place: &str, name: &str, faults: &mut Vec<String>) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        faults.push(format!("stream.toml: {place}: {name:?} must be made of a-z, 0-9 and _"));
    }
}

fn duration(key: &str, text: Option<&str>, default: &str, faults: &mut Vec<String>) -> Duration {
    humantime::parse_duration(text.unwrap_or(default)).unwrap_or_else(|error| {
        faults.push(format!("stream.toml: {key}: {error}\n  hint: write a duration like \"90s\", \"2m\", \"30d\""));
        Duration::ZERO
    })
}

fn bytes(key: &str, text: Option<&str>, default: &str, faults: &mut Vec<String>) -> u64 {
    let text = text.unwrap_or(default);
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];
    let parsed = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift)
    });
    parsed.unwrap_or_else(|| {
        faults
            .push(format!("stream.toml: {key}: {text:?} is no size\n  hint: write a size like \"256KiB\", \"10GiB\""));
        0
    })
}
