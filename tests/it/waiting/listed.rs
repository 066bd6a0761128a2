//! `waiting list` and `waiting show`: which events wait, since when, and for what.

use serde_json::{Value, json};

use crate::support::{Csr, World};

#[track_caller]
fn listed(world: &World, words: &[&str]) -> Value {
    let all: Vec<&str> = ["waiting", "list", "--json"].iter().chain(words).copied().collect();
    serde_json::from_str(&world.succeed(&all)).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn causes_are_counted_exactly_and_events_are_listed_up_to_a_limit() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [many, few, participant, buddy] = [csr.id(), csr.id(), csr.id(), csr.id()];
    let mut events: Vec<Value> = (0..30).map(|_| csr.checkin(many)).collect();
    events.extend((0..5).map(|_| csr.logged(few)));
    events.push(csr.matched(few, participant, buddy));
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["waiting"], 36);

    let waits = listed(&world, &["--limit", "3"]);
    assert_eq!((&waits["waiting"], &waits["causes"]), (&json!(36), &json!(4)));
    let kinds: Vec<Value> = waits["by_type"].as_array().expect("kinds").clone();
    let counted = |kind: &Value| json!([kind["type"], kind["entity"], kind["events"], kind["keys"]]);
    assert_eq!(
        kinds.iter().map(counted).collect::<Vec<_>>(),
        [
            json!(["buddy.checkin.completed", "match", 30, 1]),
            json!(["buddy.event.logged", "match", 5, 1]),
            json!(["buddy.match.created", "person", 1, 2]),
        ]
    );
    assert_eq!(waits["by_cause"].as_array().map(Vec::len), Some(3), "as many as asked for");
    let cause = &waits["by_cause"][0];
    assert_eq!((&cause["entity"], &cause["key"], &cause["events"]), (&json!("match"), &json!(many), &json!(30)));
    let first = &waits["events"][0];
    assert_eq!(waits["events"].as_array().map(Vec::len), Some(3));
    assert_eq!(first["event_id"], events[0]["metadata"]["id"]);
    assert_eq!(first["missing"], json!([{"entity": "match", "key": many}]));
    assert!(first["age_seconds"].as_i64().is_some_and(|age| (0..600).contains(&age)), "{first}");

    world.execute("update waiting_events set waiting_since = now() - interval '2 hours' where event_type = 'buddy.event.logged'").await;
    let old = listed(&world, &["--older-than", "90m"]);
    assert_eq!((&old["waiting"], &old["causes"]), (&json!(5), &json!(1)));
    let lines = world.succeed(&["waiting", "list", "--limit", "3"]);
    assert!(lines.contains("36 events wait for 4 rows") && lines.contains("… and 33 more"), "{lines}");

    let [matched, checkin] = [&events[35], &events[0]].map(|event| event["metadata"]["id"].as_str().expect("an id"));
    let shown = world.succeed(&["waiting", "show", matched]);
    for person in [participant, buddy] {
        assert!(shown.contains(&format!("person {person} is missing; brought by ")), "{shown}");
    }
    world.publish_events(&[csr.person(participant)]).await;
    world.drain(&[]);
    let shown: Value = serde_json::from_str(&world.succeed(&["waiting", "show", matched, "--json"])).expect("JSON");
    let state = |one: &Value| (one["key"].clone(), one["is_there"].clone());
    let mut states: Vec<_> = shown["missing"].as_array().expect("two").iter().map(state).collect();
    states.sort_by_key(|(key, _)| *key != json!(participant));
    assert_eq!(states, [(json!(participant), json!(true)), (json!(buddy), json!(false))]);

    world.publish_events(&[csr.person(buddy), csr.matched(many, participant, buddy)]).await;
    world.drain(&[]);
    assert_eq!(listed(&world, &[])["waiting"], 0);
    assert_eq!(world.succeed(&["waiting", "list"]).trim(), "nothing waits");
    let output = world.output(&["waiting", "show", checkin]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("milepost explain"), "{said}");
}
