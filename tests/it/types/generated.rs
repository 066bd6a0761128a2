//! A generated log has every type that is not an operator's, and fills every table and column that events fill.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{World, event_types};

/// Tables of the domain that other services fill, and no event.
const FILLED_BY_OTHERS: [&str; 3] = ["api_request_deduplication", "audit_logs", "webhook_deduplication"];

/// Types that no publisher publishes by itself, but operators.
const TOLD_BY_OPERATORS: [&str; 1] = ["privacy.person.erased"];

/// Columns that no event of a generated log fills.
const EMPTY: [&str; 12] = [
    "beneficiary_groups.description",
    "beneficiary_groups.group_key",
    "beneficiary_groups.name",
    "evidence_snippets.embedding",
    "identity_conflicts.*",
    "identity_merges.*",
    "journey_facts.pending",
    "journey_flags.expires_at",
    "program_templates.default_config",
    "program_templates.description",
    "program_templates.name",
    "program_templates.template_key",
];

/// Tables that follow from events, as `stream.toml` has them.
fn tables() -> BTreeSet<String> {
    let text = include_str!("../../../streams/csr/stream.toml");
    let settings: toml::Table = toml::from_str(text).expect("settings");
    let mut tables: BTreeSet<String> = settings["tables"].as_table().expect("tables").keys().cloned().collect();
    tables.extend(["journey_flags", "journey_milestones", "journey_facts"].map(str::to_owned));
    tables
}

/// How many rows those tables have.
async fn filled_by_others(world: &World) -> BTreeMap<&'static str, i64> {
    let mut rows = BTreeMap::new();
    for table in FILLED_BY_OTHERS {
        rows.insert(table, world.number(&format!("select count(*) from {table}")).await);
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_log_has_every_type_and_fills_every_table_and_column() {
    let world = World::new().await;
    world.publish(&world.generate(&["--events", "4000", "--people", "200", "--retellings", "0.01"])).await;
    let before = filled_by_others(&world).await;
    let summary = world.drain(&["--workers", "2"]);
    assert_eq!((&summary["applied"], &summary["waiting_total"]), (&4000.into(), &0.into()), "{summary}");

    let stored = world.rows("select distinct event_type as type from event_log").await;
    let stored: BTreeSet<String> = stored.iter().map(|row| row["type"].as_str().expect("a type").to_owned()).collect();
    let is_missing = |name: &&String| !TOLD_BY_OPERATORS.contains(&name.as_str());
    let types = event_types();
    let lacking: Vec<_> = types.difference(&stored).filter(is_missing).collect();
    assert!(lacking.is_empty(), "no event of {lacking:?}");

    let mut empty = BTreeSet::new();
    for table in tables() {
        // A null, an empty object and an empty text say nothing.
        let filled = format!(
            "select columns.name, bool_or(coalesce(columns.value, 'null') not in ('null', '{{}}', '[]', '\"\"')) as is_filled
             from (select to_jsonb(t) as entry from {table} as t) as rows
             cross join lateral (select key, value::text from jsonb_each(entry)) as columns (name, value) group by 1"
        );
        let columns = world.rows(&filled).await;
        if columns.is_empty() {
            empty.insert(format!("{table}.*"));
        }
        for column in columns.iter().filter(|column| column["is_filled"] == false) {
            empty.insert(format!("{table}.{}", column["name"].as_str().expect("a name")));
        }
    }
    assert_eq!(empty, BTreeSet::from(EMPTY.map(str::to_owned)), "empty");
    assert_eq!(filled_by_others(&world).await, before, "they follow from no event");
    assert_eq!(world.prove()["applied"], 4000);
}
