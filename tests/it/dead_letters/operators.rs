//! list, show, redrive and discard, as an operator types them.

use serde_json::{Value, json};

use super::{ALLOW, FORBID, poison, with_a_match};
use crate::support::{Csr, World};

/// A world with one poisoned event, published so many times.
async fn poisoned(times: usize) -> (World, Value) {
    let world = World::new().await;
    let mut csr = Csr::new();
    let match_id = with_a_match(&world, &mut csr).await;
    world.execute(FORBID).await;
    let event = poison(&mut csr, match_id);
    world.publish_events(&vec![event.clone(); times]).await;
    assert_eq!(world.drain(&[])["dead_letters"], times);
    (world, event)
}

/// Runs `dead-letters` with these words; gives exit code and stdout.
fn dead_letters(world: &World, words: &[&str]) -> (Option<i32>, String) {
    let all: Vec<&str> = ["dead-letters"].iter().chain(words).copied().collect();
    let output = world.output(&all);
    (output.status.code(), String::from_utf8(output.stdout).expect("text").trim().to_owned())
}

/// The command ends with this code and says this, and perhaps how it is made up.
#[track_caller]
fn said(world: &World, words: &[&str], code: i32, json: &Value) {
    let (exit, stdout) = dead_letters(world, words);
    let mut said: Value = serde_json::from_str(&stdout).expect("JSON");
    if let Value::Object(fields) = &mut said {
        fields.remove("groups");
    }
    assert_eq!((exit, &said), (Some(code), json), "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_in_vain_is_counted_and_one_that_works_has_the_effect() {
    let (world, event) = poisoned(1).await;
    let before = world.dead_letters().remove(0);
    let id = before["id"].to_string();
    let refused = json!({"redriven": 0, "refused": 1});
    said(&world, &["redrive", &id, "--json"], 1, &refused);
    said(&world, &["redrive", "--reason", "database", "--json"], 1, &refused);
    let after = world.dead_letters().remove(0);
    assert_eq!((&before["attempts"], &after["attempts"]), (&json!(0), &json!(2)));
    for field in ["count", "first_seq", "last_seq", "first_seen", "last_seen", "reason", "event_id", "subject"] {
        assert_eq!(before[field], after[field], "{field} tells what happened, not what was tried");
    }
    assert_eq!(world.prove()["dead_letters"], 1);
    assert_eq!(world.number("select count(*) from event_log where event_type = 'buddy.event.logged'").await, 0);

    world.execute(ALLOW).await;
    said(&world, &["redrive", "--type", "buddy.event.attended", "--json"], 0, &json!({"redriven": 0, "refused": 0}));
    said(&world, &["redrive", "--type", "buddy.event.logged", "--json"], 0, &json!({"redriven": 1, "refused": 0}));
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["dead_letters"], &proof["duplicates"]), (&json!(4), &json!(0), &json!(0)));
    assert_eq!(world.number("select count(*) from buddy_events where location = 'nowhere'").await, 1);
    let claim = format!(
        "select success from event_deduplication where event_id = '{}'",
        event["metadata"]["id"].as_str().expect("an id")
    );
    assert_eq!(world.rows(&claim).await, [json!({"success": true})]);

    said(&world, &["list", "--json"], 0, &json!([]));
    let (_, resolved) = dead_letters(&world, &["list", "--resolved", "--json"]);
    assert!(resolved.contains(r#""resolution":"redriven""#), "{resolved}");
    said(&world, &["redrive", "--all", "--json"], 0, &json!({"redriven": 0, "refused": 0}));
    assert_eq!(world.prove()["applied"], 4);

    world.publish_events(&[event]).await;
    assert_eq!(world.drain(&[])["duplicates"], 1, "what was redriven has been taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_equal_messages_one_is_applied_and_two_are_duplicates() {
    let (world, _) = poisoned(3).await;
    let letter = world.dead_letters().remove(0);
    assert_eq!((&letter["count"], &letter["first_seq"], &letter["last_seq"]), (&json!(3), &json!(4), &json!(6)));
    world.execute(ALLOW).await;
    said(&world, &["redrive", "--all", "--json"], 0, &json!({"redriven": 1, "refused": 0}));
    let proof = world.prove();
    assert_eq!(
        json!([proof["received"], proof["applied"], proof["duplicates"], proof["dead_letters"]]),
        json!([6, 4, 2, 0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_stays_in_the_books_until_it_comes_again() {
    let (world, event) = poisoned(1).await;
    let id = world.dead_letters()[0]["id"].to_string();
    said(&world, &["discard", &id, "--json"], 0, &json!({"discarded": 1}));
    said(&world, &["discard", &id, "--json"], 1, &json!({"discarded": 0}));
    said(&world, &["list", "--json"], 0, &json!([]));
    world.execute(ALLOW).await;
    said(&world, &["redrive", "--all", "--json"], 0, &json!({"redriven": 0, "refused": 0}));
    assert_eq!(world.prove()["dead_letters"], 1);
    world.execute(FORBID).await;
    world.publish_events(&[event]).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    let letter = world.dead_letters().remove(0);
    assert_eq!((&letter["count"], &letter["resolution"]), (&json!(2), &Value::Null), "open again");
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn for_people_the_commands_speak_in_lines() {
    let (world, event) = poisoned(1).await;
    let id = world.dead_letters()[0]["id"].to_string();
    let (code, list) = dead_letters(&world, &["list"]);
    assert_eq!((code, list.lines().count()), (Some(0), 2), "{list}");
    assert!(list.contains("database") && list.contains("buddy.event.logged"), "{list}");
    let (code, shown) = dead_letters(&world, &["show", &id]);
    assert!(code == Some(0) && shown.contains(&event.to_string()), "{shown}");
    for (words, code) in [
        (vec!["show", "999"], 1),
        (vec!["redrive"], 2),
        (vec!["redrive", "--reason", "nonsense"], 2),
        (vec!["redrive", &id, "--all"], 2),
        (vec!["discard"], 2),
        (vec!["discard", "999"], 1),
    ] {
        assert_eq!(dead_letters(&world, &words).0, Some(code), "{words:?}");
    }
    assert_eq!(dead_letters(&world, &["discard", &id]), (Some(0), "discarded 1".to_owned()));
    assert_eq!(dead_letters(&world, &["list"]), (Some(0), "no dead letters".to_owned()));
}
