//! Killed on the way, a replay goes on where it was.

use serde_json::json;
use sqlx::Connection as _;

use super::{Packed, REACHED, UNENDED, lines, packed, text};
use crate::support::{BLOCKED, World, assert_same};

/// Starts the replay and kills it once it has come so far.
async fn killed_at(world: &World, arguments: &[&str], reached: i64) {
    let all = [&["replay", "--batch", "10", "--from"], arguments].concat();
    let mut replay = world.milepost(&all).spawn().expect("it starts");
    world.reaches(REACHED, |found| found >= reached);
    replay.kill().expect("it can be killed");
    replay.wait().expect("it has ended");
    assert_eq!(world.number(UNENDED).await, 1, "it was still at it");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_five_times_each_line_is_read_once() {
    let expected = World::new().await;
    let log = expected.troubled_log(1200, 51);
    let file = expected.log("log.ndjson", &log);
    expected.handle(&file);
    let expected = expected.dump().await;
    for how in [Packed::Plain, Packed::Zstd] {
        let world = World::new().await;
        let file = world.log("log", &packed(&log, how));
        for kill in 1..=5 {
            killed_at(&world, &[text(&file)], kill * 100).await;
        }
        let output = world.output(&["replay", "--from", text(&file)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("going on where it was interrupted"), "{said}");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(summary["read"], lines(&log), "{how:?}: {summary}");
        let parts = ["applied", "duplicates", "dead_letters"].map(|name| summary[name].as_u64().expect("a number"));
        assert_eq!(parts.iter().sum::<u64>(), lines(&log) as u64, "{how:?}: {summary}");
        // A batch that was committed and not noted is one of duplicates the second time: one per kill.
        assert!(parts[0] <= 1200 && parts[0] >= 1200 - 5 * 10, "{how:?}: {summary}");
        assert_same(&expected, &world.dump().await);
        world.prove();
        // It is at its end: the same once more is another one.
        let again = world.replay(&[text(&file)]);
        assert_eq!((&again["read"], &again["applied"]), (&json!(lines(&log)), &json!(0)), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_read_on_too_and_anew_only_when_asked() {
    let world = World::new().await;
    let file = world.log("log.ndjson", &world.troubled_log(600, 61));
    let all = world.handle(&file)["received"].clone();
    let before = world.dump().await;
    killed_at(&world, &["stream"], 100).await;
    killed_at(&world, &["stream"], 250).await;
    let summary = world.replay(&["stream"]);
    assert_eq!(summary["read"], all, "{summary}");
    killed_at(&world, &["stream"], 100).await;
    world.execute("update replays set counts = '{\"read\": 7}'").await;
    assert_eq!(world.replay(&["stream", "--anew"])["read"], all);
    assert_same(&before, &world.dump().await);
}

/// Another log under the same name is another replay.
#[tokio::test(flavor = "multi_thread")]
async fn another_file_of_that_name_is_replayed_from_its_beginning() {
    let world = World::new().await;
    let log = world.troubled_log(400, 71);
    let file = world.log("log", &log);
    killed_at(&world, &[text(&file)], 100).await;
    let mut other = log.clone();
    let at = other.len() - 2;
    other[at] = b' '; // the last line is broken now; the size is the same
    other.rotate_right(1);
    let file = world.log("log", &other);
    let summary = world.replay(&[text(&file)]);
    assert_eq!(summary["read"], lines(&log), "{summary}");
    assert_eq!(world.number("select count(*) from replays").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_are_not_at_the_same_replay() {
    let world = World::new().await;
    let file = world.log("log", &world.troubled_log(600, 81));
    // The first is held in the middle: it has to wait for a table that is locked.
    let mut holder = world.postgres().await;
    sqlx::raw_sql("begin; lock table event_log in share mode").execute(&mut holder).await.expect("a lock");
    let mut first = world.milepost(&["replay", "--batch", "5", "--from", text(&file)]).spawn().expect("it starts");
    world.reaches(BLOCKED, |blocked| blocked == 1);
    let output = world.output(&["replay", "--from", text(&file)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another process is at this replay"), "{said}");
    holder.close().await.expect("the lock is let go");
    assert!(first.wait().expect("it ends").success());
}

/// Its session ends under it, again and again: it opens another one and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_costs_a_replay_nothing() {
    let expected = World::new().await;
    let log = expected.troubled_log(600, 85);
    let file = expected.log("log", &log);
    expected.handle(&file);
    let world = World::new().await;
    let arguments = ["replay", "--batch", "10", "--from", text(&file)];
    let replay = world.milepost(&arguments).stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    for time in 1..=3 {
        world.reaches(REACHED, |reached| reached >= time * 100);
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and application_name = 'milepost'";
        assert_eq!(world.number(ended).await, 1);
    }
    let output = replay.wait_with_output().expect("it ends");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["read"], lines(&log), "{summary}");
    assert_same(&expected.dump().await, &world.dump().await);
}
