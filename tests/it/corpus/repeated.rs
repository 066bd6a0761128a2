//! The same id again: a duplicate in whatever spelling, a conflict when it is another event.

use serde_json::{Value, json};

use crate::support::{Csr, World};

type Spelling = fn(&Value) -> String;
type Change = fn(&mut Value);

/// Publishes a person, then something derived from that event; gives the summary of the second.
async fn after_a_person(world: &World, second: impl Fn(&Value) -> (String, String)) -> Value {
    let mut csr = Csr::new();
    let id = csr.id();
    let person = csr.person(id);
    world.publish_events(std::slice::from_ref(&person)).await;
    assert_eq!(world.drain(&[])["applied"], 1);
    let (subject, text) = second(&person);
    world.publish(&[(subject, text.into_bytes())]).await;
    world.drain(&[])
}

#[track_caller]
fn ended(summary: &Value, what: &str, name: &str) {
    assert_eq!((&summary["received"], &summary[what]), (&json!(1), &json!(1)), "{name}: {summary}");
}

fn flat(event: &Value) -> Value {
    let mut flat = event["metadata"].clone();
    (flat["type"], flat["data"]) = (event["type"].clone(), event["data"].clone());
    flat
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_in_another_spelling_is_a_duplicate() {
    let world = World::new().await;
    let spellings: [(&str, Spelling); 9] = [
        ("the very same", Value::to_string),
        ("with blanks", |event| serde_json::to_string_pretty(event).expect("JSON")),
        ("escaped", |event| event.to_string().replace("Ada", r"\u0041da")),
        ("flat", |event| flat(event).to_string()),
        ("as a CloudEvent", |event| {
            let meta = &event["metadata"];
            json!({"specversion": "1.0", "source": "x", "id": meta["id"], "time": meta["timestamp"],
                   "type": event["type"], "data": event["data"]})
            .to_string()
        }),
        ("other keys in the envelope", |event| {
            let mut event = event.clone();
            event["metadata"]["correlationId"] = json!("018f0000-0000-7000-8000-000000000001");
            event["metadata"]["version"] = Value::Null;
            event.to_string()
        }),
        ("nulls for what is absent", |event| {
            let mut event = event.clone();
            (event["data"]["division"], event["data"]["nobody"]) = (Value::Null, Value::Null);
            event.to_string()
        }),
        ("ids and e-mail in capitals", |event| {
            let mut event = event.clone();
            for at in ["/metadata/id", "/data/userId", "/data/companyId", "/data/email"] {
                let text = event.pointer_mut(at).expect("a text");
                *text = text.as_str().expect("a text").to_uppercase().into();
            }
            event.to_string()
        }),
        ("the instant in another zone", |event| {
            let mut event = event.clone();
            let at: chrono::DateTime<chrono::Utc> =
                event["metadata"]["timestamp"].as_str().expect("a time").parse().expect("a time");
            let there = at.with_timezone(&chrono::FixedOffset::east_opt(5 * 3600 + 1800).expect("an offset"));
            event["metadata"]["timestamp"] = there.format("%Y-%m-%dt%H:%M:%S.%9f999%:z").to_string().into();
            event.to_string()
        }),
    ];
    for (name, spelling) in spellings {
        let second = |event: &Value| ("ingest.directory.synced".to_owned(), spelling(event));
        ended(&after_a_person(&world, second).await, "duplicates", name);
    }
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.number("select count(*) from event_log").await, 9);
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_on_another_event_is_a_conflict_and_the_first_one_stays() {
    let world = World::new().await;
    let others: [(&str, Change); 6] = [
        ("a field", |event| event["data"]["lastName"] = json!("Lovelace")),
        ("an extra key", |event| event["data"]["extra"] = json!(1)),
        ("a free number", |event| event["data"]["customFields"] = json!({"n": 1})),
        ("the timestamp", |event| event["metadata"]["timestamp"] = json!("2026-01-05T08:02:00.000001Z")),
        ("the month", |event| event["metadata"]["timestamp"] = json!("2025-01-05T08:02:00Z")),
        ("the type", |event| event["type"] = json!("ingest.directory.lost")),
    ];
    for (name, change) in others {
        let second = |event: &Value| {
            let mut event = event.clone();
            change(&mut event);
            (event["type"].as_str().expect("a type").to_owned(), event.to_string())
        };
        ended(&after_a_person(&world, second).await, "dead_letters", name);
    }
    let letters = world.dead_letters();
    assert!(letters.iter().all(|letter| letter["reason"] == "id_conflict" && letter["field"].is_null()), "{letters:?}");
    assert_eq!(letters.len(), others.len());
    assert_eq!(world.number("select count(*) from users where last_name = 'Byron'").await, 6);
    assert_eq!(world.number("select count(*) from event_deduplication where success").await, 6);
    assert_eq!(world.number("select count(*) from event_log").await, 6);
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn within_one_batch_the_first_of_an_id_is_taken_the_others_are_judged_by_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let id = csr.id();
    let person = csr.person(id);
    let mut other = person.clone();
    other["data"]["lastName"] = json!("Lovelace");
    world.publish_events(&[person.clone(), flat(&person), other.clone(), person, other]).await;
    let summary = world.drain(&["--batch", "1000"]);
    for (field, expected) in [("applied", 1), ("duplicates", 2), ("dead_letters", 2)] {
        assert_eq!(summary[field], expected, "{field} of {summary}");
    }
    assert_eq!(world.rows("select last_name from users").await, [json!({"last_name": "Byron"})]);
    assert_eq!(
        world.rows("select count, first_seq, last_seq from dead_letters").await,
        [json!({"count": 2, "first_seq": 3, "last_seq": 5})]
    );
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_does_not_block_a_healthy_event_with_its_id() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let id = csr.id();
    let person = csr.person(id);
    let mut broken = person.clone();
    broken["data"]["status"] = json!("gone fishing");
    world.publish_events(&[broken]).await;
    assert_eq!(world.drain(&[])["dead_letters"], 1);
    let claim = "select event_id, event_type, consumer_id, success, error_message from event_deduplication";
    let rows = world.rows(claim).await;
    assert_eq!((&rows[0]["event_id"], &rows[0]["success"]), (&person["metadata"]["id"], &json!(false)));
    assert_eq!((&rows[0]["event_type"], &rows[0]["consumer_id"]), (&person["type"], &json!("milepost")));
    assert!(rows[0]["error_message"].as_str().is_some_and(|text| text.starts_with("contract: status must be one of")));

    world.publish_events(&[person]).await;
    assert_eq!(world.drain(&[])["applied"], 1);
    let rows = world.rows(claim).await;
    assert_eq!((rows.len(), &rows[0]["success"], &rows[0]["error_message"]), (1, &json!(true), &Value::Null));
    assert_eq!(world.number("select count(*) from users").await, 1);
    world.prove();
}
