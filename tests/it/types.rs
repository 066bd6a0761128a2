//! Every event type through the real binary: what it does to the tables, column by column, in every envelope.

mod creating;
mod enrollments;
pub(crate) mod examples;
mod generated;
mod kintell;
mod learning;
mod moderation;
mod people;
mod privacy;
mod reported;
mod scores;
mod sessions;
mod snapshots;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Csr, World, enveloped, event_types};
use examples::{Example, FOUNDATIONS, examples};

pub(crate) type Envelope = fn(&Value) -> Value;

pub(crate) fn flat(event: &Value) -> Value {
    let mut flat = event["metadata"].clone();
    (flat["type"], flat["data"]) = (event["type"].clone(), event["data"].clone());
    flat
}

pub(crate) fn cloud_event(event: &Value) -> Value {
    let meta = &event["metadata"];
    json!({"specversion": "1.0", "source": "test", "id": meta["id"], "type": event["type"], "time": meta["timestamp"],
           "data": event["data"], "correlationid": meta["correlationId"], "dataversion": meta["version"]})
}

/// Publishes data of a type as an event of its own.
async fn tell(world: &World, csr: &mut Csr, event_type: &str, data: Value) {
    world.publish_events(&[csr.event(event_type, data)]).await;
}

/// Runs until idle; all must have been applied.
#[track_caller]
fn all_applied(world: &World) {
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["waiting_total"]), (&summary["received"], &json!(0)), "{summary}");
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![Vec::new()], |shorter, next| {
        let insert = |order: &Vec<usize>, at: usize| [&order[..at], &[next], &order[at..]].concat();
        shorter.iter().flat_map(|order| (0..=order.len()).map(|at| insert(order, at)).collect::<Vec<_>>()).collect()
    })
}

/// The rows of a query must be these.
#[track_caller]
fn same_rows(name: &str, rows: &[Value], expected: &[Value]) {
    assert_eq!(rows, expected, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_fills_its_tables_in_every_envelope() {
    let envelopes: [(&str, Envelope); 3] = [("nested", Value::clone), ("flat", flat), ("CloudEvent", cloud_event)];
    for (name, envelope) in envelopes {
        let world = World::new().await;
        let mut csr = Csr::new();
        let correlation = csr.id();
        let examples = examples();
        let mut stored = Vec::new();
        for Example { event_type, data, .. } in FOUNDATIONS.iter().map(|make| make()).chain(examples.iter().cloned()) {
            let mut event = enveloped(event_type, csr.id(), &csr.tick(), data);
            event["metadata"]["correlationId"] = json!(correlation);
            event["data"]["anExtraKey"] = json!({"kept": [null, 0.1]});
            stored.push(envelope(&event));
        }
        world.publish_events(&stored).await;
        all_applied(&world);
        for example in &examples {
            for (sql, expected) in &example.rows {
                same_rows(&format!("{name} {}: {sql}", example.event_type), &world.rows(sql).await, expected);
            }
        }
        let log = "select payload, version, correlation_id, event_type
                   from event_log order by stream_sequence";
        let log = world.rows(log).await;
        assert_eq!(log.len(), stored.len());
        for (row, event) in log.iter().zip(&stored) {
            assert_eq!((&row["payload"], &row["event_type"]), (event, &event["type"]), "{name}: as it was received");
            assert_eq!((&row["version"], &row["correlation_id"]), (&json!("v1"), &json!(correlation)), "{name}");
        }
        world.prove();
    }
}

#[test]
fn there_is_an_example_of_every_type() {
    let shown: BTreeSet<String> = examples().iter().map(|example| example.event_type.to_owned()).collect();
    assert_eq!(event_types(), shown);
}
