//! History that has been taken: whatever it is replayed from, every table stays as it is, byte for byte.

use serde_json::json;

use super::{Packed, TOLD, lines, packed, text};
use crate::support::{World, assert_same};

#[tokio::test(flavor = "multi_thread")]
async fn replayed_from_anywhere_it_changes_nothing_and_tells_nobody() {
    let world = World::new().await;
    let log = world.troubled_log(1500, 11);
    let file = world.log("log.ndjson", &log);
    world.handle(&file);
    let (before, told, proof) = (world.dump().await, world.rows(TOLD).await, world.prove());
    assert!(!told.is_empty(), "there was something to tell");
    let taken = |summary: &serde_json::Value| {
        let [read, duplicates, dead] = ["read", "duplicates", "dead_letters"].map(|name| summary[name].as_u64());
        assert_eq!(read, Some(lines(&log) as u64), "{summary}");
        assert_eq!((duplicates, dead), (Some(lines(&log) as u64 - 15), Some(15)), "{summary}");
        assert_eq!((&summary["applied"], &summary["waiting"]), (&json!(0), &json!(0)), "{summary}");
    };
    for how in [Packed::Plain, Packed::Gzip, Packed::Zstd] {
        let file = world.log(&format!("{how:?}"), &packed(&log, how));
        taken(&world.replay(&[text(&file)]));
    }
    taken(&world.replay(&["stream"]));
    let summary = world.replay(&["log"]);
    assert_eq!((&summary["read"], &summary["duplicates"]), (&json!(1500), &json!(1500)), "{summary}");
    assert_same(&before, &world.dump().await);
    assert_eq!(world.rows(TOLD).await, told);
    assert_eq!(world.prove(), proof);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_live_traffic_it_gives_the_tables_of_live_traffic_alone() {
    let world = World::new().await;
    let (first, second) = (world.troubled_log(1000, 21), world.troubled_log(1000, 22));
    let (old, live) = (world.log("old", &first), world.log("live", &second));
    let alone = World::new().await;
    alone.handle(&old);
    alone.handle(&live);

    world.handle(&old);
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "20"]);
    let replays: Vec<_> = ["stream", "log", text(&old)]
        .into_iter()
        .map(|from| world.milepost(&["replay", "--from", from, "--batch", "50"]).spawn().expect("it starts"))
        .collect();
    world.succeed(&["publish", text(&live)]);
    for mut replay in replays {
        assert!(replay.wait().expect("it ends").success());
    }
    running.signal("TERM");
    assert_eq!(running.wait().0, Some(0));
    world.drain(&[]);
    assert_same(&alone.dump().await, &world.dump().await);
    let (proof, expected) = (world.prove(), alone.prove());
    assert_eq!(proof, expected);
    assert_eq!(
        world.number("select count(*) from outbox").await,
        world.number("select count(distinct event_id) from outbox").await
    );
}

/// Claims may be pruned: the store knows its events without them.
#[tokio::test(flavor = "multi_thread")]
async fn replayed_after_the_claims_were_pruned_it_changes_nothing() {
    let world = World::new().await;
    let log = world.troubled_log(800, 31);
    let file = world.log("log.ndjson", &log);
    world.handle(&file);
    let (before, told, proof) = (world.dump().await, world.rows(TOLD).await, world.prove());
    for from in [text(&file), "stream", "log"] {
        world.execute("delete from event_deduplication").await;
        let summary = world.replay(&[from]);
        assert_eq!(summary["applied"], 0, "{from}: {summary}");
        let mut after = world.dump().await;
        if from == "log" {
            // Nothing is claimed that is in the store already: what was pruned stays pruned.
            assert_eq!(after["event_deduplication"].len(), 0);
            after.insert("event_deduplication".into(), before["event_deduplication"].clone());
        }
        assert_same(&before, &after);
        assert_eq!(world.rows(TOLD).await, told);
        assert_eq!(world.prove(), proof);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_filled_by_a_replay_alone_is_that_which_the_stream_fills() {
    let streamed = World::new().await;
    let log = streamed.troubled_log(1500, 41);
    let file = streamed.log("log.ndjson", &log);
    let summary = streamed.handle(&file);

    let world = World::new().await;
    let replayed = world.replay(&[text(&file)]);
    for name in ["applied", "duplicates", "waiting", "unrouted", "dead_letters", "own"] {
        assert_eq!(replayed[name], summary[name], "{name} of {replayed}");
    }
    assert_same(&streamed.dump().await, &world.dump().await);
    assert_eq!(world.rows(TOLD).await, Vec::<serde_json::Value>::new(), "nobody is told of history");
    let proof = world.prove();
    assert_eq!((&proof["received"], &proof["replayed"]), (&json!(0), &json!(1500)), "{proof}");
    // Then the stream brings the same: nothing is new, and the books are of the stream.
    world.handle(&file);
    assert_same(&streamed.dump().await, &world.dump().await);
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["replayed"]), (&json!(0), &json!(1500)), "{proof}");
    assert_eq!(proof["received"], streamed.prove()["received"]);
}
