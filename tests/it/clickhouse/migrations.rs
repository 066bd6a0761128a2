//! Migrations of ClickHouse: up, down, killed in between, and what `milepost migrate` says.

use std::process::Output;

use milepost::sink::migrate::compiled_in;
use milepost::sink::statements;

use crate::support::{ClickHouse, World};

/// Everything that migrations may make, in words.
fn schema(clickhouse: &ClickHouse) -> Vec<String> {
    let tables = "select name, replace(create_table_query, currentDatabase(), 'database') from system.tables
        where database = currentDatabase() and name <> 'schema_migrations' order by name";
    clickhouse.lines(tables)
}

fn run(clickhouse: &ClickHouse, arguments: &[&str]) -> (Option<i32>, String) {
    said(&clickhouse.milepost(arguments).output().expect("the binary runs"))
}

/// The exit code, and stdout and stderr together.
fn said(output: &Output) -> (Option<i32>, String) {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    (output.status.code(), format!("{stdout}{stderr}"))
}

#[test]
fn all_the_way_down_and_up_again_gives_the_same_schema() {
    let clickhouse = ClickHouse::new().migrated();
    let whole = schema(&clickhouse);
    let all = compiled_in().len();
    assert!(whole.len() >= all, "{whole:?}");
    let ledger = clickhouse.rows("select version, description from schema_migrations order by version");
    assert_eq!(ledger.len(), all);
    assert_eq!(ledger[0], serde_json::json!({"version": 1, "description": "create events raw"}));
    assert!(run(&clickhouse, &["migrate", "--analytics"]).1.contains("nothing to do"));

    for undone in 1..=all {
        let (code, down) = run(&clickhouse, &["migrate", "--analytics", "--down", "1"]);
        assert!(code == Some(0) && down.starts_with("rolled back clickhouse "), "{down}");
        let (_, status) = run(&clickhouse, &["migrate", "--analytics", "--status"]);
        assert_eq!(status.lines().filter(|line| line.starts_with("missing     clickhouse ")).count(), undone);
        run(&clickhouse, &["migrate", "--analytics"]);
        assert_eq!(schema(&clickhouse), whole);
        run(&clickhouse, &["migrate", "--analytics", "--down", &undone.to_string()]);
    }
    assert_eq!(schema(&clickhouse), Vec::<String>::new(), "nothing is left");
}

/// DDL has no transactions: whatever a killed run has left behind, the next one goes on from there.
#[test]
fn a_run_that_was_killed_after_any_statement_is_run_again() {
    let whole = schema(&ClickHouse::new().migrated());
    let statements: Vec<String> = compiled_in().iter().flat_map(|migration| statements::split(migration.up)).collect();
    for done in 0..=statements.len() {
        let clickhouse = ClickHouse::new();
        let made = ClickHouse { url: clickhouse.url.clone(), database: "default".into() };
        made.execute(&format!("create database {}", clickhouse.database));
        std::mem::forget(made); // the default database stays
        for statement in &statements[..done] {
            clickhouse.execute(statement);
        }
        assert_eq!(schema(&clickhouse.migrated()), whole, "after {done} statements");
    }
}

#[test]
fn two_runs_at_once_do_no_harm() {
    let clickhouse = ClickHouse::new();
    let start = || clickhouse.milepost(&["migrate", "--analytics"]).spawn().expect("it starts");
    let mut runs = [start(), start()];
    for run in &mut runs {
        assert!(run.wait().expect("it ends").success());
    }
    assert!(run(&clickhouse, &["migrate", "--analytics"]).1.contains("nothing to do"));
    assert_eq!(schema(&clickhouse), schema(&ClickHouse::new().migrated()));
}

#[test]
fn a_ledger_of_another_milepost_is_refused() {
    let clickhouse = ClickHouse::new().migrated();
    clickhouse.execute("insert into schema_migrations (version, description, checksum) values (9000, 'later', '')");
    let (code, said) = run(&clickhouse, &["migrate", "--analytics"]);
    assert!(code == Some(1) && said.contains("9000") && said.contains("run the newer milepost"), "{said}");

    clickhouse.execute("alter table schema_migrations delete where version = 9000 settings mutations_sync = 2");
    clickhouse.execute(
        "alter table schema_migrations update checksum = 'other' where version = 1 settings mutations_sync = 2",
    );
    let (code, said) = run(&clickhouse, &["migrate", "--analytics", "--down", "1"]);
    assert!(code == Some(1) && said.contains("0001") && said.contains("with another text"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_can_tell_what_is_missing() {
    let clickhouse = ClickHouse::new();
    let fault = clickhouse.sink().verify_version().await.expect("an answer").expect_err("nothing is there");
    assert!(
        fault.contains("lacks") && fault.contains("0001") && fault.contains("hint: run `milepost migrate`"),
        "{fault}"
    );
    let clickhouse = clickhouse.migrated();
    clickhouse.sink().verify_version().await.expect("an answer").expect("everything is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_are_migrated_one_after_the_other() {
    let mut world = World::with_clickhouse(ClickHouse::new()).await;
    let status = world.succeed(&["migrate", "--status"]);
    let of = |store: &str| status.lines().filter(|line| line.starts_with(&format!("applied     {store} "))).count();
    assert_eq!(of("clickhouse"), compiled_in().len());
    assert_eq!(of("postgres") + of("clickhouse"), status.lines().count());
    let down = world.succeed(&["migrate", "--down", "1"]);
    assert!(down.starts_with("rolled back postgres "), "{down}");

    if let Some(clickhouse) = &mut world.clickhouse {
        clickhouse.url = "http://user:secret@127.0.0.1:1".into();
    }
    let (code, text) = said(&world.output(&["migrate"]));
    assert!(
        code == Some(1) && text.contains("applied     postgres ") && text.contains("hint: Postgres is up to date"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    world.clickhouse = None;
    let (code, text) = said(&world.output(&["migrate"]));
    assert!(code == Some(0) && text.contains("CLICKHOUSE_URL is not set: Postgres only"), "{text}");
    let (code, text) = said(&world.output(&["migrate", "--analytics"]));
    assert!(code == Some(2) && text.contains("CLICKHOUSE_URL is not set"), "{text}");
}
