//! Without ClickHouse, and with one that is wrong, everything else works and says so.

use crate::support::{ClickHouse, Csr, World, eventually, milepost};

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_nothing_is_fed_and_everything_else_works() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    let output = world.output(&["run", "--until-idle"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("CLICKHOUSE_URL is not set"), "{said}");
    let proof = world.prove();
    assert!(proof["ok"] == true && proof["analytics"].is_null(), "{proof}");
    for arguments in [&["prove", "--repair"][..], &["rebuild", "analytics"], &["migrate", "--analytics"]] {
        let output = world.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("CLICKHOUSE_URL is not set\n  hint: "), "{said}");
    }
    assert_eq!(world.number("select count(*) from feed_ranges").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_is_harms_nobody_who_does_not_feed() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    let with = |arguments: &[&str]| {
        let mut command = world.milepost(arguments);
        command.env("CLICKHOUSE_URL", "http://127.0.0.1:1");
        command
    };
    let drained = with(&["run", "--until-idle", "--only", "project"]).output().expect("the binary runs");
    assert!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    assert_eq!(world.number("select count(*) from users").await, 3);
    let service = crate::support::Running::start(with(&["run"]), world.folder.path().join("log"));
    world.publish_events(&csr.people(2)).await;
    world.reaches("select count(*) from users", |people| people == 5);
    eventually("a note", || service.readiness(200).contains("degraded: analytics: ").then_some(()));
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    for arguments in [&["prove"][..], &["rebuild", "analytics"]] {
        let output = with(arguments).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("ClickHouse cannot be reached"), "{said}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused_with_a_hint() {
    for url in ["localhost:8123", "nats://localhost", "http://localhost:8123/?database=x", "not a url"] {
        for arguments in [&["run"][..], &["prove"], &["rebuild", "analytics"], &["migrate", "--analytics"]] {
            let mut command = milepost();
            command.args(arguments).env("CLICKHOUSE_URL", url).env("DATABASE_URL", "postgres://a:b@127.0.0.1:1/none");
            command.env("NATS_URL", "nats://127.0.0.1:1");
            let output = command.output().expect("the binary runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.code() == Some(2) && said.contains("hint: ") && said.contains("CLICKHOUSE_URL"),
                "{url}, {arguments:?}: {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_there_yet_are_waited_for() {
    let world = World { clickhouse: Some(ClickHouse::new()), ..World::new().await };
    let mut csr = Csr::new();
    world.publish_events(&csr.people(3)).await;
    let service = world.start(&[]);
    eventually("a note that says what to do", || {
        let said = service.readiness(200);
        (said.contains("degraded: analytics: ") && said.contains("milepost migrate")).then_some(())
    });
    for arguments in [&["prove"][..], &["rebuild", "analytics"]] {
        let output = world.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("milepost migrate"), "{said}");
    }
    world.succeed(&["migrate"]);
    service.is_fine();
    world.reaches("select coalesce(sum(events), 0) from feed_ranges where fed_at is not null", |fed| fed == 3);
    world.is_all_there().await;
    world.is_well(&[]);
}
