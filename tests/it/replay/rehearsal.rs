//! A dry run changes nothing, and says what the replay then does.

use serde_json::{Value, json};

use super::{TOLD, lines, text};
use crate::support::{World, assert_same};

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_says_the_truth() {
    let world = World::new().await;
    let mut log = world.troubled_log(1000, 91);
    let all: Vec<Vec<u8>> = log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    // Half of it is known; and an id that is another event's, in a batch of its own.
    let known = world.log("known", &all[..all.len() / 2].join(&b'\n'));
    world.handle(&known);
    let mut conflict: Value = serde_json::from_slice(&all[all.len() - 20])
        .or_else(|_| serde_json::from_slice(&all[all.len() - 21]))
        .expect("an event");
    for place in ["timestamp", "time"] {
        for object in ["", "metadata"] {
            let object = if object.is_empty() { &mut conflict } else { &mut conflict[object] };
            if object.get(place).is_some() {
                object[place] = json!("2025-01-01T00:00:00Z");
            }
        }
    }
    log.extend(format!("{conflict}\n").into_bytes());
    let file = world.log("log", &log);
    let (before, told) = (world.dump().await, world.rows(TOLD).await);
    let dry = world.replay(&[text(&file), "--dry-run", "--batch", "7"]);
    assert_same(&before, &world.dump().await);
    assert_eq!(world.rows(TOLD).await, told);
    for untouched in ["replays", "touched_later"] {
        assert_eq!(world.number(&format!("select count(*) from {untouched}")).await, 0, "{untouched}");
    }
    world.prove();

    let real = world.replay(&[text(&file), "--batch", "7"]);
    for name in ["read", "skipped", "duplicates", "dead_letters", "unrouted", "own"] {
        assert_eq!(dry[name], real[name], "{name}: {dry} and {real}");
    }
    // What waits for an earlier batch of the same replay is said to wait: it is applied when that one is.
    let taken = |summary: &Value| {
        summary["applied"].as_u64().expect("a number") + summary["waiting"].as_u64().expect("a number")
    };
    assert_eq!(taken(&dry), taken(&real), "{dry} and {real}");
    assert!(real["applied"].as_u64() > Some(300), "{real}");
    let types = dry["types"].as_object().expect("types");
    let sum = |result: &str| -> u64 { types.values().filter_map(|of| of[result].as_u64()).sum() };
    assert_eq!(sum("conflict"), 1, "{dry}");
    assert_eq!(json!(sum("conflict") + sum("dead_letter")), dry["dead_letters"], "{dry}");
    assert_eq!(json!(sum("duplicate")), dry["duplicates"]);
    assert_eq!((dry["read"].as_u64(), &dry["dry_run"]), (Some(lines(&log) as u64), &json!(true)));
}
