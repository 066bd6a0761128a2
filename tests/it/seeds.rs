//! The live schema has everything that the platform's documents of it ask for: `seeds/tables.toml` is the list of it,
//! with what was decided otherwise and why. What is not met, and what is listed as decided but is met, is a fault.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::support::World;

/// What ClickHouse has to have, in a migration of its own.
const IN_CLICKHOUSE: [&str; 5] = ["benchmarks", "events_aggregated", "events_raw", "metrics_daily", "metrics_monthly"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Which of the documents have it.
    seeds: Vec<String>,
    columns: Vec<String>,
    #[serde(default)]
    defaults: Vec<String>,
    #[serde(default)]
    unique: Vec<String>,
    #[serde(default)]
    indexes: Vec<String>,
    #[serde(default)]
    checks: Vec<String>,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    decided: Vec<Decided>,
}

/// A deviation from the documents.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    of: String,
    is: String,
    why: String,
}

impl Table {
    /// Everything asked of it, each as a line: `email varchar(255) not null`, `unique email`, `index a, b`, …
    fn wants(&self) -> Vec<String> {
        let lines = |word: &str, list: &[String]| list.iter().map(|line| format!("{word} {line}")).collect::<Vec<_>>();
        let mut wants = self.columns.clone();
        wants.extend(self.columns.contains(&"id uuid".to_owned()).then(|| "primary id".to_owned()));
        wants.extend(lines("default", &self.defaults));
        wants.extend(lines("unique", &self.unique));
        wants.extend(lines("index", &self.indexes));
        wants.extend(lines("check", &self.checks));
        wants.extend(lines("reference", &self.references));
        wants
    }
}

/// What there is, by table.
#[derive(Default)]
struct Live {
    /// Name, with its type, `not null` and default.
    columns: BTreeMap<String, (String, bool, String)>,
    /// Columns in their order, as one text; what is made of an expression is the expression.
    keys: Vec<(String, String)>,
    checks: Vec<String>,
    references: Vec<String>,
}

async fn live(world: &World) -> BTreeMap<String, Live> {
    let mut tables: BTreeMap<String, Live> = BTreeMap::new();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let columns = "select attrelid::regclass::text as \"table\", attname, format_type(atttypid, atttypmod) as type,
            attnotnull, coalesce(pg_get_expr(adbin, adrelid), '') as \"default\"
        from pg_attribute join pg_class on pg_class.oid = attrelid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped";
    for row in world.rows(columns).await {
        let column = (text(&row, "type"), row["attnotnull"] == true, text(&row, "default"));
        tables.entry(text(&row, "table")).or_default().columns.insert(text(&row, "attname"), column);
    }
    let keys = "select indrelid::regclass::text as \"table\", amname,
            case when indisprimary then 'primary' when indisunique then 'unique' else 'index' end as kind,
            (select string_agg(trim(both '\"' from pg_get_indexdef(indexrelid, place, true)), ', ' order by place)
             from generate_series(1, indnkeyatts) as place) as columns
        from pg_index join pg_class on pg_class.oid = indexrelid join pg_am on pg_am.oid = relam
        where relnamespace = 'public'::regnamespace";
    for row in world.rows(keys).await {
        let method = if row["amname"] == "btree" { String::new() } else { text(&row, "amname") + " " };
        let key = (text(&row, "kind"), method + &text(&row, "columns"));
        tables.entry(text(&row, "table")).or_default().keys.push(key);
    }
    let constraints = "select conrelid::regclass::text as \"table\", contype::text, pg_get_constraintdef(oid) as def
        from pg_constraint where connamespace = 'public'::regnamespace and contype in ('c', 'f')";
    for row in world.rows(constraints).await {
        let table = tables.entry(text(&row, "table")).or_default();
        let list = if row["contype"] == "c" { &mut table.checks } else { &mut table.references };
        list.push(text(&row, "def"));
    }
    tables
}

/// Whether a type is what a document calls so.
fn is_type(live: &str, asked: &str) -> bool {
    let sized = |name: &str| live == name || live.starts_with(&format!("{name}("));
    match asked {
        "timestamp" => live == "timestamp with time zone",
        "varchar" | "enum" => sized("character varying"),
        "decimal" => sized("numeric"),
        _ => live == asked.replace("varchar", "character varying").replace("decimal", "numeric"),
    }
}

impl Live {
    fn has(&self, want: &str) -> bool {
        let (word, rest) = want.split_once(' ').expect("a word and more");
        let words: Vec<&str> = rest.split(' ').collect();
        match word {
            "primary" => self.keys.iter().any(|(kind, columns)| kind == word && columns == rest),
            "unique" => self.keys.iter().any(|(kind, columns)| kind != "index" && columns == rest),
            // Of an index on an expression, what it begins with.
            "index" => self.keys.iter().any(|(_, columns)| {
                columns == rest || rest.starts_with("gin ") && columns.starts_with(&format!("{rest}("))
            }),
            "default" => self.columns.get(words[0]).is_some_and(|(.., default)| {
                let value = words[1];
                default == value || default.starts_with(&format!("'{value}'"))
            }),
            "reference" => self.references.iter().any(|key| {
                let cascade = words.get(2).is_none() || key.contains("ON DELETE CASCADE");
                key.starts_with(&format!("FOREIGN KEY ({}) REFERENCES {}(id)", words[0], words[1])) && cascade
            }),
            "check" => self.checks.iter().any(|check| checks(check, words[0], words[1], &words[2..])),
            column => self.columns.get(column).is_some_and(|(kind, not_null, _)| {
                let asked = rest.strip_suffix(" not null");
                is_type(kind, asked.unwrap_or(rest)) && (asked.is_none() || *not_null)
            }),
        }
    }
}

/// Whether a check constraint, as Postgres writes it, asks this of a column.
fn checks(check: &str, column: &str, how: &str, values: &[&str]) -> bool {
    if how == "in" {
        // 'a'::character varying, 'b'::…
        let allowed: BTreeSet<&str> = check.split('\'').skip(1).step_by(2).collect();
        return check.contains(&format!("({column})::text = ANY")) && allowed == values.iter().copied().collect();
    }
    let bound = |sign: &str, value: &str| {
        [format!("{column} {sign} {value})"), format!("{column} {sign} ({value})::numeric")]
            .iter()
            .any(|bound| check.contains(bound))
    };
    bound(">=", values[0]) && bound("<=", values[1])
}

/// What a table lacks of what is asked of it, and which of its decisions are none.
fn faults(name: &str, table: &Table, live: &BTreeMap<String, Live>) -> Vec<String> {
    let has = |want: &str| {
        let (of, want) = want.split_once(": ").unwrap_or((name, want));
        live.get(of).is_some_and(|live| live.has(want))
    };
    let mut faults = Vec::new();
    let wants = table.wants();
    for want in &wants {
        let decided = table.decided.iter().find(|decided| decided.of == *want);
        let is_there = has(want);
        match decided {
            None if !is_there => faults.push(format!("{name}: {want} (asked for by {:?})", table.seeds)),
            Some(_) if is_there => faults.push(format!("{name}: {want} is there, so nothing else was decided")),
            Some(decided) if !has(&decided.is) => faults.push(format!("{name}: {} in the place of {want}", decided.is)),
            _ => {}
        }
    }
    for decided in &table.decided {
        if decided.why.is_empty() || !wants.contains(&decided.of) {
            faults.push(format!("{name}: nobody asks for {:?}, or it is not said why it is not", decided.of));
        }
    }
    faults
}

fn listed() -> BTreeMap<String, Table> {
    toml::from_str(include_str!("seeds/tables.toml")).expect("a list of tables")
}

/// The names of all tables, those of ClickHouse too.
pub(crate) fn tables() -> impl Iterator<Item = String> {
    listed().into_keys().chain(IN_CLICKHOUSE.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_documents_of_the_schema_ask_for_is_there() {
    let world = World::without_stream().await;
    let live = live(&world).await;
    let missing: Vec<String> = listed().iter().flat_map(|(name, table)| faults(name, table, &live)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_so_is_a_decision_that_is_none() {
    let world = World::without_stream().await;
    let mut connection = world.postgres().await;
    for change in [
        "alter table buddy_checkins alter column match_id drop not null",
        "alter table buddy_events alter column location type varchar(254)",
        "alter table buddy_feedback drop constraint buddy_feedback_rating_check",
        "alter table consents drop constraint consents_user_id_fkey",
        "alter table program_enrollments alter column status drop default",
        "alter table external_id_mappings alter column external_id type varchar(255)",
        "drop index programs_config_idx",
        "alter table webhook_deduplication drop constraint webhook_deduplication_delivery_id_webhook_source_key",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut connection).await.expect("the schema changes");
    }
    let live = live(&world).await;
    let found: Vec<String> = listed().iter().flat_map(|(name, table)| faults(name, table, &live)).collect();
    for fault in [
        "buddy_checkins: match_id uuid not null",
        "buddy_events: location varchar(255)",
        "buddy_feedback: check rating between 0 1",
        "consents: reference user_id users",
        "external_id_mappings: external_id varchar(255) not null is there",
        "program_enrollments: default status active",
        "programs: index gin config",
        "webhook_deduplication: unique delivery_id, webhook_source",
    ] {
        assert!(found.iter().any(|found| found.starts_with(fault)), "{fault}: {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
}

#[test]
fn the_tables_of_clickhouse_have_migrations() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/clickhouse");
    let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
    let ways_up = files.filter(|path| !path.to_string_lossy().ends_with(".down.sql"));
    let text: String = ways_up.map(|path| std::fs::read_to_string(path).expect("a migration")).collect();
    for name in IN_CLICKHOUSE {
        let is_made = ["table", "view"]
            .iter()
            .any(|kind| text.lines().any(|line| line.starts_with(&format!("create {kind} if not exists {name} "))));
        assert!(is_made, "{name}");
    }
}
