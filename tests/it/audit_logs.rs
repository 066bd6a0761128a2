//! Every change that an operator makes is a row of `audit_logs`; asking changes nothing and leaves none.

use serde_json::{Value, json};

use crate::support::{ClickHouse, Csr, World};

/// Action, resource and outcome of each row.
async fn rows(world: &World) -> Vec<Value> {
    let sql = "select action, resource_type as resource, metadata->>'outcome' as outcome from audit_logs
               order by created_at, metadata->>'outcome'";
    world.rows(sql).await
}

fn row(action: &str, resource: &str, outcome: &str) -> Value {
    json!({"action": action, "resource": resource, "outcome": outcome})
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_rules_of_jetstream_and_of_clickhouse_are_written_down_with_who_made_them() {
    let mut world = World::with_clickhouse(ClickHouse::new()).await;
    assert_eq!(rows(&world).await, [row("streams.apply", "stream", "done")], "the world's own");
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    world.drain_all(&[]);

    for asking in [
        &["streams", "apply"][..], // everything is as it should be
        &["streams", "check"],
        &["rules", "plan"],
        &["rules", "apply"], // they are in force
        &["prove"],
        &["dead-letters", "list"],
        &["waiting", "list"],
        &["dead-letters", "redrive", "--all"], // nothing is dead
    ] {
        world.succeed(asking);
    }
    assert_eq!(rows(&world).await.len(), 1, "who only asks, or changes nothing, leaves no row");

    world.succeed(&["prove", "--repair"]);
    world.succeed(&["rebuild", "analytics"]);
    world.succeed(&["rebuild", "analytics", "--drop-previous"]);
    assert_ne!(world.output(&["rebuild", "analytics", "--rollback"]).status.code(), Some(0));
    let expected = [
        row("prove.repair", "analytics", "begun"),
        row("prove.repair", "analytics", "done"),
        row("rebuild", "analytics", "begun"),
        row("rebuild", "analytics", "done"),
        row("rebuild.drop_previous", "analytics", "begun"),
        row("rebuild.drop_previous", "analytics", "done"),
        row("rebuild.rollback", "analytics", "begun"),
        row("rebuild.rollback", "analytics", "failed"),
    ];
    assert_eq!(rows(&world).await[1..], expected);

    let folder = world.folder.path().join("other");
    let mut copy = std::process::Command::new("cp");
    copy.args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")]).arg(&folder);
    assert!(copy.status().expect("cp runs").success(), "the stream folder was copied");
    let file = folder.join("journey.toml");
    let text = std::fs::read_to_string(&file).expect("the rules");
    let flag =
        "[flags.matched_once]\nversion = 1\nholds = { count = \"match\", at_least = 1 }\n\n[flags.buddy_match_active]";
    std::fs::write(&file, text.replace("[flags.buddy_match_active]", flag)).expect("other rules");
    world.streams = Some(folder);
    let mut apply = world.milepost(&["rules", "apply", "--actor", "ada"]);
    assert!(apply.env("USER", "deployer").status().expect("it runs").success());
    let last = "select action, metadata->>'actor' as actor, metadata->>'os_user' as account,
                    metadata->>'database_user' as role, metadata->>'outcome' as outcome, user_id
                from audit_logs where action = 'rules.apply' order by created_at";
    let row = |outcome| {
        json!({"action": "rules.apply", "actor": "ada", "account": "deployer", "role": "postgres",
               "outcome": outcome, "user_id": null})
    };
    assert_eq!(world.rows(last).await, [row("begun"), row("done")]);
    let runs = "select count(distinct metadata->>'run') from audit_logs where action = 'rules.apply'";
    assert_eq!(world.number(runs).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_history_are_written_down_too() {
    let world = World::with_setting("# claims = \"90 days\"", "claims = \"90 days\"").await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    world.drain(&[]);
    for (asking, code) in [
        (&["tidy", "--dry-run"][..], 0),
        (&["replay", "--from", "log", "--dry-run"], 0),
        (&["rebuild", "--all", "--diff"], 0),
        (&["explain", &csr.id().to_string()], 1), // nobody has heard of it
        (&["prove", "--write-off"], 0),           // nothing is lost
    ] {
        let output = world.output(asking);
        assert_eq!(output.status.code(), Some(code), "{asking:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(rows(&world).await.len(), 1, "only the world's own: {:?}", rows(&world).await);
    for changing in [
        &["tidy"][..],
        &["replay", "--from", "log"],
        &["rebuild", "--all"],
        &["rebuild", "--rollback"],
        &["rebuild", "--drop-previous"],
    ] {
        world.succeed(changing);
    }
    let expected = [
        ("tidy", "event_deduplication"),
        ("replay", "event_log"),
        ("rebuild", "tables"),
        ("rebuild.rollback", "tables"),
        ("rebuild.drop_previous", "tables"),
    ];
    let expected =
        expected.iter().flat_map(|(action, resource)| ["begun", "done"].map(|one| row(action, resource, one)));
    assert_eq!(rows(&world).await[1..], expected.collect::<Vec<_>>());
}
