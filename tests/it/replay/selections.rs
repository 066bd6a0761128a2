//! Only some of history: by type, time, person and sequence; and what is no selection.

use serde_json::json;

use super::text;
use crate::support::{Csr, World};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_selected_has_its_effect() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [ada, bob, eve, matched] = [csr.id(), csr.id(), csr.id(), csr.id()];
    let mut events = vec![csr.person(ada), csr.person(bob), csr.person(eve), csr.matched(matched, ada, bob)];
    events.extend([csr.checkin(matched), csr.logged(matched), csr.checkin(matched)]);
    let time = |event: &serde_json::Value| event["metadata"]["timestamp"].as_str().expect("a time").to_owned();
    let [fourth, last] = [3, 6].map(|index: usize| time(&events[index]));
    let mut lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    lines += "no JSON\n{\"type\":\"buddy.checkin.completed\"}\n";
    let file = world.log("log", lines.as_bytes());
    let dry = |arguments: &[&str]| {
        let summary = world.replay(&[&[text(&file), "--dry-run"], arguments].concat());
        assert_eq!(summary["read"], 9, "{summary}");
        9 - summary["skipped"].as_u64().expect("a number")
    };
    for (arguments, selected) in [
        (&[][..], 9),
        (&["--type", "buddy.*"], 5),
        (&["--type", "*.check?n.*"], 3),
        (&["--type", "unknown"], 1),
        (&["--since", &fourth], 4),
        (&["--since", &fourth, "--until", &last], 3),
        (&["--until", &fourth], 3),
        (&["--user", &ada.to_string().to_uppercase()], 2),
        (&["--user", &eve.to_string()], 1),
        (&["--user", &ada.to_string(), "--type", "buddy.*", "--since", &fourth], 1),
    ] {
        assert_eq!(dry(arguments), selected, "{arguments:?}");
    }
    let summary = world.replay(&[text(&file), "--type", "ingest.*"]);
    assert_eq!((&summary["applied"], &summary["skipped"]), (&json!(3), &json!(6)), "{summary}");
    // Another selection is another replay, and does not go on where this one was.
    let summary = world.replay(&[text(&file)]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&json!(4), &json!(3)), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_selected_by_sequence_and_by_when_it_took_a_message() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let first = csr.people(10);
    world.publish_events(&first).await;
    world.drain(&[]);
    let between = world.rows("select clock_timestamp() as at").await[0]["at"].as_str().expect("a time").to_owned();
    world.publish_events(&csr.people(5)).await;
    world.drain(&[]);
    let read = |arguments: &[&str]| {
        let summary = world.replay(&[&["stream"], arguments].concat());
        assert_eq!(summary["applied"], 0);
        summary["duplicates"].as_u64().expect("a number")
    };
    assert_eq!(read(&["--since", &between]), 5);
    assert_eq!(read(&["--until", &between]), 10);
    assert_eq!(read(&["--since", &between, "--until", "2299-01-01T00:00:00Z"]), 5);
    assert_eq!(read(&["--from-sequence", "9"]), 7);
    assert_eq!(read(&["--from-sequence", "3", "--until-sequence", "4"]), 2);
    assert_eq!(read(&["--from-sequence", "12", "--since", &between]), 4);
    assert_eq!(read(&["--from-sequence", "16"]), 0);
}

#[test]
fn all_faults_of_the_command_are_said_at_once() {
    let mut command = crate::support::milepost();
    command.args(["replay", "--from", "/nowhere/log.gz", "--since", "2026-02-01T00:00:00Z"]);
    command.args(["--until", "2026-01-01T00:00:00Z", "--type", "buddy.[a-z]", "--user", "ada"]);
    command.args(["--from-sequence", "5", "--until-sequence", "4"]).env_remove("DATABASE_URL");
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let faults = [
        "cannot read /nowhere/log.gz",
        "--since is not before --until",
        "--type: the pattern for types \"buddy.[a-z]\" has the character '['",
        "--user \"ada\" is no UUID",
        "are of the stream",
        "--from-sequence is after --until-sequence",
    ];
    for fault in faults {
        assert!(said.contains(fault), "{fault} in {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), faults.len(), "{said}");
}
