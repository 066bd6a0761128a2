//! `milepost erase` and `milepost export`, as an operator gives them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::CANARY;
use super::life::{EMAIL, Life};
use crate::support::{ClickHouse, Csr, World};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_is_found_nowhere_whatever_is_replayed_or_made_anew() {
    let mut world = World::with_keys().await;
    world.clickhouse = Some(ClickHouse::new().migrated());
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    let mut broken = csr.checkin(life.matched);
    broken["data"]["notes"] = json!(CANARY);
    broken["data"]["mood"] = json!("sunny");
    world.publish_events(&[broken]).await;
    let running = world.start(&["--only", "project,analytics"]);
    world.reaches(crate::support::HANDLED, |handled| usize::try_from(handled) == Ok(life.events.len() + 1));
    assert!(world.everywhere_with(CANARY).await.len() > 5, "what is looked for can be found");
    let before = world.number("select count(*) from event_log").await;
    let requests = world.number("select count(*) from dsar_requests").await;

    // A dry run says what it would reach, and reaches nothing.
    let rehearsed = parsed(&world.succeed(&["erase", &life.ada.to_string(), "--dry-run"]));
    assert_eq!((&rehearsed["dry_run"], &rehearsed["dead_letters_erased"]), (&json!(true), &json!(1)), "{rehearsed}");
    assert_eq!(world.number("select count(*) from event_log").await, before);
    assert_eq!(world.number("select count(*) from dsar_requests").await, requests);

    let request = csr.id();
    let receipt = parsed(&world.succeed(&["erase", &life.ada.to_string(), "--request", &request.to_string()]));
    assert_eq!(
        (&receipt["dry_run"], &receipt["published"], &receipt["dead_letters_erased"]),
        (&json!(false), &json!(true), &json!(1)),
        "{receipt}"
    );
    assert!(receipt["keys_destroyed"].as_i64().is_some_and(|keys| keys > 5), "{receipt}");
    assert!(receipt["rows"]["user_external_ids"]["before"].as_i64().is_some_and(|rows| rows > 0), "{receipt}");
    assert_eq!(receipt["rows"]["user_external_ids"]["after"], json!(0), "{receipt}");
    let letter = world.rows("select id, octet_length(payload) as bytes, resolution from dead_letters").await;
    assert_eq!((&letter[0]["bytes"], &letter[0]["resolution"]), (&json!(0), &json!("discarded")), "{letter:?}");
    let asked = format!("select user_id, request_type, status from dsar_requests where id = '{request}'");
    let expected = json!({"user_id": life.ada, "request_type": "deletion", "status": "completed"});
    assert_eq!(world.rows(&asked).await, [expected]);
    let audited =
        format!("select count(*) from audit_logs where action = 'person.erase' and resource_id = '{}'", life.ada);
    assert_eq!(world.number(&audited).await, 2, "begun and done");

    // Everything comes once more, late, under other event ids, and out of the stream and the store.
    let mut late = Vec::new();
    for event in &life.events {
        let mut again = event.clone();
        again["metadata"]["id"] = json!(csr.id());
        again["id"] = json!(csr.id());
        late.push(again);
    }
    let handled = world.number(crate::support::HANDLED).await;
    world.publish_events(&late).await;
    let all = handled + i64::try_from(late.len()).expect("a number");
    world.reaches(crate::support::HANDLED, |handled| handled >= all);
    world.reaches(crate::feed::BEHIND, |behind| behind == 0);
    assert!(running.log().to_lowercase().lines().all(|line| !line.contains(CANARY)), "the log");
    assert!(running.get("/metrics").1.to_lowercase().lines().all(|line| !line.contains(CANARY)), "metrics");
    running.kill();
    world.succeed(&["replay", "--from", "log"]);
    world.succeed(&["replay", "--from", "stream"]);
    world.succeed(&["rebuild", "--all", "--swap"]);
    world.succeed(&["rebuild", "--drop-previous"]);
    world.succeed(&["rebuild", "analytics", "--swap"]);
    assert_eq!(world.everywhere_with(CANARY).await, BTreeSet::new());
    let texts = "select table, name from system.columns where database = currentDatabase() and type like '%String%'";
    let texts = world.analytics().rows(texts);
    assert!(texts.len() > 5, "{texts:?}");
    for column in texts {
        let [table, name] = ["table", "name"].map(|part| column[part].as_str().expect("a name"));
        let with = format!(
            "select count() from `{table}` where positionCaseInsensitive(replaceAll(toString(`{name}`), 'canary-1', ''), '{CANARY}') > 0"
        );
        assert_eq!(world.analytics().number(&with), 0, "{table}.{name}");
    }
    world.is_as_rebuilt();
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_of_somebody_is_handed_out_whole_and_noted() {
    let world = World::with_keys().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    let request = csr.id();
    let held = parsed(&world.succeed(&["export", &life.ada.to_string(), "--request", &request.to_string()]));
    assert_eq!(held["tables"]["users"][0]["first_name"], json!("Canary"), "{held}");
    assert!(held["tables"]["user_emails"].to_string().contains(EMAIL), "{held}");
    assert_eq!(held["tables"]["buddy_checkins"][0]["notes"], json!("[redacted]"), "{held}");
    let events = held["events"].as_array().expect("events");
    let named = format!("select count(*) from event_log where user_id = '{}'", life.ada);
    assert_eq!(
        i64::try_from(events.len() + 1).ok(),
        Some(world.number(&named).await),
        "the one about the export is later"
    );
    assert!(!events.is_empty() && !json!(events).to_string().contains("encrypted:"), "{events:?}");
    assert!(!held.to_string().contains("Byron"), "nobody else's name");
    let asked = format!("select user_id, request_type, status from dsar_requests where id = '{request}'");
    let expected = json!({"user_id": life.ada, "request_type": "access", "status": "completed"});
    assert_eq!(world.rows(&asked).await, [expected]);
    let audited = "select count(*) from audit_logs where action = 'person.export'";
    assert_eq!(world.number(audited).await, 2, "begun and done");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_unknown_and_what_is_missing_is_said() {
    let mut world = World::with_keys().await;
    for verb in ["export", "erase"] {
        let output = world.output(&[verb, &Uuid::nil().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains("nobody is known") && said.contains("hint: "),
            "{said}"
        );
    }
    world.keys = None;
    let output = world.output(&["erase", &Uuid::nil().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("milepost keys generate"), "{said}");
}
