//! What is in files: poison, repeats, lines of any length and end; and files that break off.

use std::process::Stdio;

use serde_json::json;

use super::{Packed, packed, text};
use crate::support::{Csr, World};

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_a_dead_letter_and_the_rest_has_its_effect() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut log = Vec::new();
    for person in csr.people(3) {
        log.extend(person.to_string().into_bytes());
        log.extend(b"\r\n\n  \n");
    }
    let people = csr.people(2);
    let mut other = people[0].clone();
    other["data"]["firstName"] = json!("Eve");
    let [first, conflict, refused] = [&people[0], &other, &people[1]].map(ToString::to_string);
    let poison: [&[u8]; 5] =
        [b"no JSON", b"{\"type\":\"buddy.match.created\"", b"\xff\xfe", b"{\"a\":1,\"a\":2}", b"[1]"];
    for line in poison.iter().copied().chain([first.as_bytes(), first.as_bytes(), conflict.as_bytes()]) {
        log.extend(line);
        log.push(b'\n');
    }
    log.extend(vec![b'x'; 300 << 10]);
    log.push(b'\n');
    log.extend(refused.as_bytes()); // without an end
    world.execute("alter table users add constraint nobody check (email not like '%never%')").await;
    let log = String::from_utf8_lossy(&log).into_owned().into_bytes();
    let file = world.log("log", &log);
    for round in 0..2 {
        let summary = world.replay(&[text(&file)]);
        let counts = ["read", "applied", "duplicates", "dead_letters"].map(|name| summary[name].clone());
        let expected = if round == 0 { [13, 5, 1, 7] } else { [13, 0, 6, 7] };
        assert_eq!(counts, expected.map(|count| json!(count)), "{summary}");
        let letters = world.dead_letters();
        let mut reasons: Vec<&str> = letters.iter().map(|letter| letter["reason"].as_str().expect("a code")).collect();
        reasons.sort_unstable();
        let expected = ["duplicate_key", "envelope", "id_conflict", "not_json", "not_json", "not_json", "too_large"];
        assert_eq!(reasons, expected);
        assert!(letters.iter().all(|letter| letter["count"] == 0), "no message of the stream: {letters:?}");
        let proof = world.prove();
        assert_eq!((&proof["replayed"], &proof["dead_letters"]), (&json!(5), &json!(0)), "{proof}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_database_refuses_is_found_by_halves() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people = csr.people(100);
    let forbidden = people[57]["data"]["email"].as_str().expect("an address").to_owned();
    world.execute(&format!("alter table users add constraint nobody check (email <> '{forbidden}')")).await;
    let file = world.log_of("log", &people);
    let summary = world.replay(&[text(&file)]);
    assert_eq!((&summary["applied"], &summary["dead_letters"]), (&json!(99), &json!(1)), "{summary}");
    assert_eq!(world.dead_letters()[0]["reason"], "database");
    // Mended and redriven, it is in the store and in no book of the stream.
    world.execute("alter table users drop constraint nobody").await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    let proof = world.prove();
    assert_eq!((&proof["replayed"], &proof["received"]), (&json!(100), &json!(0)), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_log_that_breaks_off_is_replayed_up_to_there() {
    let world = World::new().await;
    let mut csr = Csr::new();
    for how in [Packed::Gzip, Packed::Zstd] {
        let people = csr.people(2000);
        let log: String = people.iter().map(|event| format!("{event}\n")).collect();
        let whole = packed(log.as_bytes(), how);
        let file = world.log(&format!("{how:?}"), &whole[..whole.len() * 3 / 4]);
        let before = world.number("select count(*) from event_log").await;
        let output = world.output(&["replay", "--from", text(&file)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let (_, line) = said.split_once("cut off or damaged in line ").unwrap_or_else(|| panic!("{said}"));
        let line: String = line.chars().take_while(char::is_ascii_digit).collect();
        let line: i64 = line.parse().expect("a line");
        assert!(line > 10, "{said}");
        assert_eq!(world.number("select count(*) from event_log").await - before, line - 1, "{said}");
        let file = world.log(&format!("{how:?}"), &whole);
        let summary = world.replay(&[text(&file)]);
        assert_eq!((&summary["read"], &summary["applied"]), (&json!(2000), &json!(2001 - line)), "{summary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stdin_is_a_log_too() {
    let world = World::new().await;
    let people = Csr::new().people(20);
    let lines: String = people.iter().map(|event| format!("{event}\n")).collect();
    let log = world.log("packed", &packed(lines.as_bytes(), Packed::Zstd));
    for applied in [20, 0] {
        let mut command = world.milepost(&["replay", "--from", "-"]);
        command.stdin(Stdio::from(std::fs::File::open(&log).expect("the log")));
        let output = command.output().expect("it runs");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!((&summary["read"], &summary["applied"]), (&json!(20), &json!(applied)), "{summary}");
    }
    assert_eq!(world.number("select count(*) from replays").await, 0, "it cannot be read again from some place on");
}
