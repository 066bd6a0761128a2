//! A database that was put back from an older copy: what was acknowledged since is found in the stream.

use crate::support::{ClickHouse, World, assert_same};

/// What our own outbox tells depends on how events fall into batches: it is left out here.
const PARTS: [&str; 2] = ["--only", "project,audit"];
const FED_TOO: [&str; 2] = ["--only", "project,audit,analytics"];

/// Half of a log is in the copy, the other half is lost with the database. Gives what it was like before.
async fn put_back(world: &mut World, parts: &[&str]) -> std::collections::BTreeMap<String, Vec<String>> {
    let log = world.lines(&["--events", "1500", "--shuffle", "0.2", "--duplicates", "0.1", "--poison", "0.02"]);
    let (first, second) = log.split_at(700);
    world.publish_lines(first);
    world.drain_all(parts);
    let older = world.copied().await;
    world.publish_lines(second);
    world.drain_all(&[parts, &["--batch", "100"]].concat());
    world.prove();
    let before = world.dump().await;
    world.database_url = older;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_lost_is_filled_from_the_stream() {
    let mut world = World::new().await;
    let before = put_back(&mut world, &PARTS).await;
    let output = world.output(&["prove", "--json"]);
    let proof: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a proof");
    assert!(proof["missing"].as_i64() >= Some(800) && proof["lost"] == 0, "{proof}");
    let running = world.start(&PARTS);
    world.reaches(crate::support::HANDLED, |handled| handled >= proof["received"].as_i64().unwrap_or_default() + 800);
    running.kill();
    world.drain_all(&PARTS);
    assert_same(&before, &world.dump().await);
    world.prove();
}

/// ClickHouse is ahead then, of positions that are other events by now.
#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_follows_a_database_that_was_put_back() {
    let mut world = World::with_clickhouse(ClickHouse::new()).await;
    let before = put_back(&mut world, &FED_TOO).await;
    world.drain_all(&[&FED_TOO[..], &["--batch", "70"]].concat());
    assert_same(&before, &world.dump().await);
    // What was fed anew was compared and replaced on the way; rows beyond the last position are taken out by a repair.
    world.succeed(&["prove", "--repair"]);
    world.prove();
    let clickhouse = world.clickhouse.as_ref().expect("a ClickHouse");
    let stored = world.number("select count(*) from event_log").await;
    assert_eq!(clickhouse.number("select count() from events_raw"), stored);
    assert_eq!(clickhouse.number("select uniqExact(event_id) from events_raw"), stored);
    assert_eq!(clickhouse.number("select sum(events) from events_aggregated"), stored);
}
