//! What is personal never reaches ClickHouse, wherever it stands.

use serde_json::{Value, json};

use crate::support::{Csr, World};
use crate::types::examples::{FOUNDATIONS, directory, examples};
use crate::types::{cloud_event, flat};

/// In every text that must stay in Postgres. E-mails are lower-cased on the way.
const SECRET: &str = "zq7secret";
/// In a text that everybody may see: what is looked for is found where it is.
const OPEN: &str = "zq7open";

const NAMES: [&str; 10] = [
    "email",
    "firstName",
    "lastName",
    "displayName",
    "managerEmail",
    "notes",
    "feedbackText",
    "teacherComment",
    "learnerComment",
    "snippetText",
];

/// An object with every personal name, in each of the shapes that a value can have.
fn everything(depth: usize) -> Value {
    let mut object = json!({"shown": OPEN});
    for (number, name) in NAMES.iter().enumerate() {
        object[*name] = match number % 4 {
            0 => json!(SECRET),
            1 => json!([SECRET, {"deeper": SECRET}]),
            2 => json!({"a": {"b": SECRET}}),
            _ => json!(format!("{SECRET} \\ \t \n \" é")),
        };
    }
    if depth > 0 {
        object["inner"] = json!([[everything(depth - 1)], {"in": everything(0)}]);
    }
    object
}

/// Every field that a contract of `contract.md` marks, filled; and extra fields of those names beside them.
fn told(csr: &mut Csr) -> Vec<Value> {
    let mut events: Vec<Value> = FOUNDATIONS
        .iter()
        .map(|make| make())
        .chain(examples())
        .map(|example| csr.event(example.event_type, example.data))
        .collect();
    for event in &mut events {
        let data = &mut event["data"];
        match data.get("user").is_some() {
            true => personal(&mut data["user"]),
            false if data.get("email").is_some() => personal(data),
            false => {}
        }
        for field in ["notes", "feedbackText"] {
            data[field] = json!(format!("{SECRET} {field}"));
        }
        for field in ["teacherComment", "learnerComment"] {
            if data.get("skillId").is_some() {
                data["feedback"][field] = json!(format!("{SECRET} {field}"));
            }
        }
        if data.get("snippets").is_some() {
            data["snippets"][0]["snippetText"] = json!(format!("{SECRET} snippet"));
        }
        data["anExtraKey"] = everything(2);
        event["metadata"]["metadata"] = everything(1);
        event["outside"] = everything(0);
    }
    events
}

fn personal(of: &mut Value) {
    let address = of["email"].as_str().expect("an e-mail").trim().to_lowercase();
    of["email"] = json!(format!("{SECRET}.{address}"));
    for field in ["firstName", "lastName", "displayName"] {
        of[field] = json!(format!("{SECRET} {field}"));
    }
    of["managerEmail"] = json!(format!("{SECRET}@example.org"));
}

/// Rows with such a text, per table of the database.
fn found(world: &World, text: &str) -> Vec<(String, i64)> {
    let clickhouse = world.analytics();
    let tables = clickhouse.lines(
        "select name from system.tables where database = currentDatabase() and engine like '%MergeTree' order by name",
    );
    assert!(tables.len() >= 3, "{tables:?}");
    let count = |table: String| {
        let sql = format!(
            "select count() from {table} where positionCaseInsensitive(formatRowNoNewline('JSONEachRow', *), '{text}') > 0"
        );
        let number = clickhouse.number(&sql);
        (table, number)
    };
    tables.into_iter().map(count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_what_is_personal_is_in_any_table() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let mut events = told(&mut csr);
    for event_type in ["buddy.thing.seen", "external.user.deleted"] {
        events.push(csr.event(event_type, everything(3)));
    }
    let mut newer = csr.event("ingest.directory.synced", directory("00000000-0000-4000-8000-0000000000ee", "newer"));
    personal(&mut newer["data"]);
    newer["metadata"]["version"] = json!("v9");
    events.push(newer);
    let mut shapes: Vec<Value> = events.iter().map(|_| csr.event("buddy.thing.seen", everything(1))).collect();
    shapes =
        shapes.iter().enumerate().map(|(n, event)| if n % 2 == 0 { flat(event) } else { cloud_event(event) }).collect();
    events.append(&mut shapes);
    world.publish_events(&events).await;
    // A name may be spelt with escapes.
    let spelt = csr.event("buddy.thing.seen", json!({"NAME": SECRET, "shown": OPEN}));
    let spelt = spelt.to_string().replace("NAME", "\\u0065m\\u0061il");
    world.publish(&[("buddy.thing.seen".to_owned(), spelt.into_bytes())]).await;

    let summary = world.drain(&[]);
    assert_eq!(summary["dead_letters"], 0, "{summary}");
    world.feed();
    let secrets = format!("select count(*) from event_log where payload::text ilike '%{SECRET}%'");
    let all = i64::try_from(events.len() + 1).expect("a number");
    assert_eq!(world.number(&secrets).await, all, "each event says something personal");
    assert_eq!(world.analytics().number("select count() from events_raw"), all);
    for _ in 0..2 {
        let shown = found(&world, OPEN);
        assert!(shown.contains(&("events_raw".to_owned(), all - 1)), "what is not personal is there: {shown:?}");
        assert!(found(&world, SECRET).iter().all(|(_, rows)| *rows == 0), "{:?}", found(&world, SECRET));
        world.is_well(&[]);
        world.succeed(&["rebuild", "analytics"]);
    }
}
