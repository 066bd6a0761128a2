//! What the database says, beside what it must say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Expected, Flag, Instant};
use crate::support::World;

/// Person and name of a flag, milestone or counter, with its value as text.
pub(super) type Entries = BTreeMap<(Uuid, String), String>;

/// How many differences are shown.
const SHOWN: usize = 10;

impl Expected {
    /// The tables of this world must say this and nothing else; panics with the first differences.
    pub(crate) async fn compare(&self, world: &World) {
        let found = Found::of(world).await;
        let parts = [
            ("journey_flags", self.flag_entries(), found.flags),
            ("journey_milestones", self.milestone_entries(), found.milestones),
            ("users.journey_flags", self.counter_entries(), found.counters),
        ];
        let differing: Vec<String> =
            parts.iter().flat_map(|(table, expected, found)| differences(table, expected, found)).collect();
        let shown = differing.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(differing.is_empty(), "{} differences, the first of them:\n  {shown}", differing.len());
    }

    pub(super) fn flag_entries(&self) -> Entries {
        let text = |flag: &Flag| match flag.expires_at {
            Some(expires_at) => format!("{} until {}", spelled(flag.set_at), spelled(expires_at)),
            None => spelled(flag.set_at),
        };
        self.flags.iter().map(|(key, flag)| (key.clone(), text(flag))).collect()
    }

    pub(super) fn milestone_entries(&self) -> Entries {
        self.milestones.iter().map(|(key, at)| (key.clone(), spelled(*at))).collect()
    }

    pub(super) fn counter_entries(&self) -> Entries {
        let of_person = |(person, counters): (&Uuid, &serde_json::Map<String, Value>)| {
            let person = *person;
            counters.clone().into_iter().map(move |(name, value)| ((person, name), value.to_string()))
        };
        self.counters.iter().flat_map(of_person).collect()
    }
}

/// What a database says.
struct Found {
    flags: Entries,
    milestones: Entries,
    counters: Entries,
}

impl Found {
    async fn of(world: &World) -> Self {
        // A flag that does not hold has no row, so a row that says false is a difference by itself.
        let flags = "select user_id, flag as name, set_at as at, expires_at as until, value from journey_flags";
        let milestones = "select user_id, milestone as name, reached_at as at from journey_milestones";
        let counters = "select u.id as user_id, c.key as name, c.value
                        from users u cross join jsonb_each(u.journey_flags) c";
        let flag_text = |row: &Value| {
            let until =
                if row["until"].is_null() { String::new() } else { format!(" until {}", instant(&row["until"])) };
            let doubt = if row["value"] == true { "" } else { ", but not true" };
            format!("{}{until}{doubt}", instant(&row["at"]))
        };
        Self {
            flags: entries(&world.rows(flags).await, flag_text),
            milestones: entries(&world.rows(milestones).await, |row| instant(&row["at"])),
            counters: entries(&world.rows(counters).await, |row| row["value"].to_string()),
        }
    }
}

fn entries(rows: &[Value], text: impl Fn(&Value) -> String) -> Entries {
    let key = |row: &Value| {
        let person = row["user_id"].as_str().expect("a person").parse().expect("an id");
        (person, row["name"].as_str().expect("a name").to_owned())
    };
    let entries: Entries = rows.iter().map(|row| (key(row), text(row))).collect();
    assert_eq!(entries.len(), rows.len(), "one row for each person and name");
    entries
}

/// Keys whose values are not the same, each with both.
pub(super) fn differences(table: &str, expected: &Entries, found: &Entries) -> Vec<String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    let nothing = "nothing".to_owned();
    let line = |key: &(Uuid, String)| {
        let (expected, found) = (expected.get(key).unwrap_or(&nothing), found.get(key).unwrap_or(&nothing));
        format!("{table} {} {}: expected {expected}, found {found}", key.0, key.1)
    };
    differing.map(line).collect()
}

fn spelled(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A time as Postgres writes it into JSON, spelled as ours.
fn instant(value: &Value) -> String {
    let at = DateTime::parse_from_rfc3339(value.as_str().expect("a time")).expect("a time");
    spelled(at.with_timezone(&Utc))
}
