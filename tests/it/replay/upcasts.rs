//! Old shapes: what was published in them is read like what is published today.

use milepost::domain::{Domain, Source};
use milepost::feed::row::{Row, Stored};
use serde_json::{Value, json};
use uuid::Uuid;

use super::text;
use crate::support::{Csr, World, assert_same};

/// From the first shape of a check-in over a second one to today's.
const UPCASTS: &str = r#"
[[upcast]]
from = "v0.1"
to = "v0.2"
steps = [
  { rename = "id", to = "checkin.id" },
  { map = "feeling", values = { ok = "okay", bad = "struggling" } },
  { rename = "remarks", to = "comment" },
]

[[upcast]]
from = "v0.2"
to = "v1"
steps = [
  { rename = "checkin.id", to = "checkinId" },
  { drop = "checkin" },
  { rename = "feeling", to = "mood" },
  { default = "mood", value = "good" },
  { rename = "comment", to = "notes" },
]
"#;

async fn world() -> World {
    World::with_setting("replicas = 1", "replicas = 1 ").await
}

fn declare(world: &World, text: &str) {
    let folder = world.streams.as_ref().expect("a folder of its own");
    std::fs::write(folder.join("events/buddy.checkin.completed.upcast.toml"), text).expect("the upcasts");
}

/// The same check-in in each of its shapes, oldest first.
fn shapes(current: &Value) -> [Value; 3] {
    let data = &current["data"];
    let shape = |version: &str, data: Value| {
        let mut event = current.clone();
        (event["metadata"]["version"], event["data"]) = (json!(version), data);
        event
    };
    let rest = |mut own: Value| {
        (own["matchId"], own["checkinDate"]) = (data["matchId"].clone(), data["checkinDate"].clone());
        own
    };
    [
        shape("v0.1", rest(json!({"id": data["checkinId"], "feeling": "bad", "remarks": "long ago"}))),
        shape(
            "v0.2",
            rest(json!({"checkin": {"id": data["checkinId"]}, "feeling": "struggling", "comment": "long ago"})),
        ),
        current.clone(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_in_each_of_its_shapes_is_one_event() {
    let world = world().await;
    declare(&world, UPCASTS);
    assert!(world.succeed(&["streams", "check"]).contains("2 upcasts"));
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    world.publish_events(&[csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)]).await;
    world.drain(&[]);
    for first in 0..3 {
        let mut current = csr.checkin(matched);
        (current["data"]["mood"], current["data"]["notes"]) = (json!("struggling"), json!("long ago"));
        let shapes = shapes(&current);
        let file = world.log_of(&format!("shapes {first}"), &[&shapes[first..], &shapes[..first]].concat());
        let summary = world.replay(&[text(&file)]);
        assert_eq!((&summary["applied"], &summary["duplicates"]), (&json!(1), &json!(2)), "{summary}");
        let id = current["data"]["checkinId"].as_str().expect("an id");
        let row = &world.rows(&format!("select * from buddy_checkins where id = '{id}'")).await[0];
        assert_eq!((&row["mood"], &row["notes"]), (&json!("struggling"), &json!("long ago")), "{row}");
        let stored = world.rows(&format!("select version from event_log where payload::text like '%{id}%'")).await;
        let version = ["v0.1", "v0.2", "v1"][first];
        assert_eq!(stored, [json!({ "version": version })], "as it was received");
    }
    // What cannot be upcast is a dead letter that names the field; a version that nobody declared is unrouted.
    let mut twofold = shapes(&csr.checkin(matched))[1].clone();
    twofold["data"]["mood"] = json!("great");
    let mut flat = shapes(&csr.checkin(matched))[1].clone();
    flat["data"]["checkin"] = json!("text");
    let mut unknown = shapes(&csr.checkin(matched))[1].clone();
    unknown["metadata"]["version"] = json!("v0.3");
    world.publish_events(&[twofold, flat, unknown]).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["dead_letters"], &summary["unrouted"]), (&json!(2), &json!(1)), "{summary}");
    let mut fields: Vec<Value> =
        world.dead_letters().iter().map(|letter| json!([letter["reason"], letter["field"]])).collect();
    fields.sort_by_key(Value::to_string);
    assert_eq!(fields, [json!(["contract", "/data/checkin"]), json!(["contract", "/data/mood"])]);
    world.prove();
}

/// Stored before its upcast was declared, an event has its effect when the store is replayed: the tables are those of a
/// world that knew it from the beginning.
#[tokio::test(flavor = "multi_thread")]
async fn old_events_of_the_store_are_picked_up_once_their_upcast_is_declared() {
    let (world, from_the_beginning) = (world().await, world().await);
    declare(&from_the_beginning, UPCASTS);
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    let mut events = vec![csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)];
    for shape in [0, 1, 0, 2, 1] {
        events.push(shapes(&csr.checkin(matched))[shape].clone());
    }
    for world in [&world, &from_the_beginning] {
        world.publish_events(&events).await;
        world.drain(&[]);
    }
    assert_eq!(world.prove()["unrouted"], 4);
    declare(&world, UPCASTS);
    let summary = world.replay(&["log"]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&json!(4), &json!(4)), "{summary}");
    // Hashes and claims stay as they were made; an event is compared by its stored document where they differ.
    let mut dumps = [world.dump().await, from_the_beginning.dump().await];
    for dump in &mut dumps {
        dump.remove("event_log");
        dump.remove("event_deduplication");
    }
    assert_same(&dumps[0], &dumps[1]);
    assert_eq!(world.prove(), from_the_beginning.prove());
    world.publish_events(&events[3..]).await;
    assert_eq!(world.drain(&[])["duplicates"], 5);
    world.succeed(&["rebuild", "--all", "--diff"]);
}

/// Analytics reads old shapes in the same way, and old names of personal fields stay inside too.
#[tokio::test(flavor = "multi_thread")]
async fn old_shapes_are_rows_of_analytics_without_what_is_personal() {
    let world = world().await;
    declare(&world, UPCASTS);
    let domain = Domain::load(&Source::Folder(world.streams.expect("a folder"))).expect("it compiles");
    let mut csr = Csr::new();
    let (matched, person) = (csr.id(), csr.id());
    let mut current = csr.checkin(matched);
    (current["data"]["mood"], current["data"]["notes"]) = (json!("struggling"), json!("long ago"));
    current["data"]["companyId"] = json!(person);
    let rows = shapes(&current).map(|event| {
        let stored = Stored {
            position: 1,
            event_id: Uuid::nil(),
            event_type: "buddy.checkin.completed".into(),
            version: event["metadata"]["version"].as_str().expect("a version").into(),
            user_id: None,
            timestamp: chrono::DateTime::UNIX_EPOCH,
            received_at: chrono::DateTime::UNIX_EPOCH,
            correlation_id: None,
            payload: event.to_string(),
        };
        format!("{:?}", Row::of(&domain, &domain.layout, stored))
    });
    for row in &rows {
        assert!(!row.contains("long ago"), "{row}");
        assert!(row.contains("event_time: 2026"), "the data's own time: {row}");
    }
}

#[test]
fn faults_of_upcasts_are_said_with_the_others() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let file = "events/buddy.checkin.completed.upcast.toml";
    let text = UPCASTS.replace("{ drop = \"checkin\" }", "{ dorp = \"checkin\" }");
    let other = "[[upcast]]\nfrom = \"v0\"\nto = \"v2\"\nsteps = []\n";
    let edits = [(file, "", text.as_str()), ("events/buddy.event.logged.upcast.toml", "", other)];
    let folder = crate::contracts::edited(parent.path(), &edits);
    let output = crate::support::milepost().args(["streams", "check"]).env("MILEPOST_STREAMS", &folder).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{file}: v0.2 to v1, step 2: no step that is known")), "{said}");
    assert!(said.contains("events/buddy.event.logged.upcast.toml: nothing leads on from v2"), "{said}");
}
