//! What fails again keeps what was said of it before.

use serde_json::{Value, json};

use super::crowd::{KNOW_THE_MOOD, ecstatic, mended};
use super::with_a_match;
use crate::support::{Csr, World};

#[track_caller]
fn shown(world: &World, id: &str) -> Value {
    serde_json::from_str(&world.succeed(&["dead-letters", "show", id, "--json"])).expect("JSON")
}

/// Reason and resolution of each earlier verdict.
fn earlier(letter: &Value) -> Vec<(&str, Option<&str>)> {
    let verdicts = letter["earlier"].as_array().expect("verdicts").iter();
    verdicts.map(|one| (one["reason"].as_str().expect("a reason"), one["resolution"].as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_failure_for_another_reason_keeps_the_first_one_with_its_time() {
    let mut world = World::new().await;
    let mut csr = Csr::new();
    let match_id = with_a_match(&world, &mut csr).await;
    let event = ecstatic(&mut csr, match_id);
    world.publish_events(std::slice::from_ref(&event)).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    let id = world.dead_letters()[0]["id"].to_string();
    assert_eq!(earlier(&shown(&world, &id)), []);

    world.streams = Some(mended(&world));
    // The contract knows the mood now, the table does not.
    assert_eq!(world.output(&["dead-letters", "redrive", &id]).status.code(), Some(1));
    assert_eq!(world.output(&["dead-letters", "redrive", &id]).status.code(), Some(1));
    let letter = shown(&world, &id);
    assert_eq!((&letter["reason"], &letter["attempts"], &letter["count"]), (&json!("database"), &json!(2), &json!(1)));
    assert_eq!(earlier(&letter), [("contract", None), ("database", None)]);
    let [first, second] = [&letter["earlier"][0], &letter["earlier"][1]];
    assert_eq!((&first["since"], &first["field"]), (&letter["first_seen"], &json!("/data/mood")));
    assert_eq!(first["until"], second["since"]);
    let lines = world.succeed(&["dead-letters", "show", &id]);
    assert!(lines.contains("earlier") && lines.contains("contract /data/mood"), "{lines}");

    // Given up, met again, and redriven at last: each ends a verdict.
    world.succeed(&["dead-letters", "discard", &id, "--note", "nobody is"]);
    assert_eq!(shown(&world, &id)["note"], "nobody is");
    world.publish_events(&[event]).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    world.execute(KNOW_THE_MOOD).await;
    world.succeed(&["dead-letters", "redrive", &id]);
    let letter = shown(&world, &id);
    let said = [
        ("contract", None),
        ("database", None),
        ("database", None),
        ("database", Some("discarded")),
        ("database", None),
    ];
    assert_eq!(earlier(&letter), said);
    assert_eq!((&letter["resolution"], &letter["count"]), (&json!("redriven"), &json!(2)));
    let proof = world.prove();
    assert_eq!((&proof["dead_letters"], &proof["duplicates"]), (&json!(0), &json!(1)), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_given_up_only_with_a_reason() {
    let world = World::new().await;
    let broken = |number| ("buddy.match.ended".to_owned(), format!("{{{number}").into_bytes());
    world.publish(&(0..700).map(broken).collect::<Vec<_>>()).await;
    assert_eq!(world.drain(&[])["dead_letters"], 700);
    let refused = world.output(&["dead-letters", "discard", "--all"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hint: say it with --note"));
    let all = ["dead-letters", "discard", "--all", "--note", "x", "--json"];
    let rehearsed = world.succeed(&[&all[..], &["--dry-run"]].concat());
    assert_eq!(rehearsed.trim(), r#"{"discarded":700,"dry_run":true}"#);
    assert_eq!(world.dead_letters().len(), 700);
    assert_eq!(world.succeed(&all).trim(), r#"{"discarded":700}"#);
    assert_eq!(world.dead_letters().len(), 0);
    let counts = "select metadata->'discarded' as discarded, metadata->'note' as note from audit_logs
                  where resource_type = 'dead_letters' order by 1 desc";
    let row = |discarded: u64| json!({"discarded": discarded, "note": "x"});
    assert_eq!(world.rows(counts).await, [row(500), row(200)]);
}
