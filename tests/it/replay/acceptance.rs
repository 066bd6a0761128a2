//! The whole: a long history replayed from everywhere over live traffic, killed on the way.

use super::{lines, text};
use crate::support::{World, assert_same};

/// How many different events; MILEPOST_REPLAY_EVENTS says otherwise.
fn events() -> usize {
    std::env::var("MILEPOST_REPLAY_EVENTS").map_or(1000, |events| events.parse().expect("a number of events"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_replayed_over_live_traffic_and_killed_and_nothing_changes() {
    let world = World::new().await;
    let log = world.troubled_log(events(), 1);
    let (old, live) = (world.log("old", &log), world.log("live", &world.troubled_log(events() / 10, 2)));
    let alone = World::new().await;
    for world in [&alone, &world] {
        world.handle(&old);
    }
    let told = world.number("select count(*) from outbox").await;
    alone.handle(&live);
    let running = world.start(&["--only", "project", "--workers", "1"]);
    for (from, source) in [(text(&old), "file %"), ("stream", "stream %"), ("log", "log")] {
        let way = if from == "log" { events() } else { lines(&log) };
        // The store is read in great strides: its replay may be at its end already, and is begun anew then.
        let reached = format!(
            "select coalesce(max(case when ended_at is null then reached else {way} end), 0) from replays
             where source like '{source}'"
        );
        for kill in 1..=5_usize {
            let mut replay = world.milepost(&["replay", "--from", from, "--batch", "100"]).spawn().expect("it starts");
            let until = i64::try_from(way * kill / 7).expect("a number");
            world.reaches(&reached, |reached| reached >= until);
            replay.kill().expect("it can be killed");
            replay.wait().expect("it has ended");
        }
        if from == "stream" {
            world.succeed(&["publish", text(&live)]);
        }
        let summary = world.replay(&[from]);
        eprintln!("{from}: {summary}");
        assert_eq!(summary["applied"], 0, "{summary}");
    }
    running.readiness(200);
    running.signal("TERM");
    assert_eq!(running.wait().0, Some(0));
    world.drain(&[]);
    assert_same(&alone.dump().await, &world.dump().await);
    assert_eq!(world.prove(), alone.prove());
    let all = world.number("select count(*) from outbox").await;
    assert!(all > told, "live traffic is told as ever");
}
