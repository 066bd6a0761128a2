//! The transcript in CONTRIBUTING.md of how an event type is added, tried as it is written.

use serde_json::json;

use crate::support::{Csr, World};

/// The block of this kind in the section about event types.
fn block(kind: &str) -> String {
    let text = include_str!("../../../CONTRIBUTING.md");
    let section = text.split("\n## ").find(|section| section.starts_with("Adding an event type")).expect("the section");
    let (_, after) = section.split_once(&format!("```{kind}\n")).expect("a block");
    after.split_once("```").expect("its end").0.to_owned()
}

/// What a command of the transcript printed.
fn printed(command: &str) -> String {
    let console = block("console");
    let (_, after) = console.split_once(&format!("$ {command}\n")).expect("the command");
    after.split("\n$ ").next().expect("what it printed").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_type_is_added_by_two_files_as_contributing_shows_it() {
    // A folder of its own on disk, and the binary as it is.
    let world = World::with_setting("replicas = 1", "replicas = 1 ").await;
    let folder = world.streams.clone().expect("a folder of its own").join("events");
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    world.publish_events(&[csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)]).await;
    let called = |csr: &mut Csr, day: u8, minutes: u8| {
        let data = json!({"callId": csr.id(), "matchId": matched, "heldAt": format!("2026-01-0{day}T10:00:00Z"),
            "minutes": minutes});
        csr.event("buddy.call.held", data)
    };
    world.publish_events(&[called(&mut csr, 2, 25)]).await;
    assert_eq!(world.drain(&[])["unrouted"], 1, "no contract yet");

    std::fs::write(folder.join("buddy.call.held.schema.json"), block("json")).expect("the contract");
    std::fs::write(folder.join("buddy.call.held.sql"), block("sql")).expect("the projection");
    let checked = world.succeed(&["streams", "check"]);
    let shown = printed("milepost streams check");
    let (begin, end) = shown.split_once('…').expect("what is left out");
    assert!(checked.starts_with(begin) && checked.trim_end().ends_with(end), "{checked}");
    world.succeed(&["replay", "--from", "log"]);
    world.publish_events(&[called(&mut csr, 3, 5)]).await;
    assert_eq!(world.drain(&[])["applied"], 1);
    let calls = "select event_type, metadata from buddy_events where match_id is not null order by event_date";
    let call = |minutes: i32| json!({"event_type": "call", "metadata": {"duration_minutes": minutes}});
    assert_eq!(world.rows(calls).await, [call(25), call(5)]);
    assert_eq!(world.prove()["unrouted"], 0);
}
