//! `stream.toml` as it is written: human units, strict keys; what is wrong with it is named, all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::settings::{
    Consumer, Derived, Entity, Mirrored, OF_THE_ENGINE, PrivacyTypes, Retention, Settings, Stream, Table,
};
use crate::gate::Limits;

/// The shortest time for which claims are kept.
const CLAIMS_KEPT_MIN: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
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
    #[serde(default)]
    imports: ImportsTable,
    privacy: Option<PrivacyTypes>,
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

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ImportsTable {
    batch: Option<String>,
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

impl File {
    /// In the units that are reckoned in.
    pub(super) fn resolve(self, faults: &mut Vec<String>) -> Settings {
        for name in self.entities.iter().flat_map(|entity| [&entity.name, &entity.table, &entity.column]) {
            identifier("entities", name, faults);
        }
        let aliases = self.entities.iter().filter_map(|entity| entity.aliases.as_ref());
        for name in aliases.flat_map(|aliases| [&aliases.table, &aliases.alias, &aliases.column]) {
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
            import_batch: self.imports.batch,
            privacy: self.privacy,
        }
    }
}

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
