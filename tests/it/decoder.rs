//! The decoder against chance: it never panics, and whatever it lets through, Postgres takes.

use std::sync::LazyLock;

use bytes::Bytes;
use milepost::decode::decode;
use milepost::domain::{Domain, Source};
use milepost::event::Reason;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World, enveloped};

const CHECKIN: &str = "buddy.checkin.completed";
static DOMAIN: LazyLock<Domain> = LazyLock::new(|| Domain::load(&Source::BuiltIn).expect("the domain is valid"));

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(crate::support::cases(cases))
}

/// Any JSON value, with keys and texts of any characters.
fn any_json() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_map(|number| json!(number));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        number,
        ".*".prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn checkin() -> Value {
    let mut csr = Csr::new();
    let match_id = csr.id();
    csr.checkin(match_id)
}

#[test]
fn arbitrary_bytes_never_panic_and_are_no_event() {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        "[{}\\[\\]\",:\\\\u0d8-9e+.a \t]{0,200}".prop_map(String::into_bytes)
    ];
    let outcome = runner(20_000).run(&bytes, |bytes| {
        prop_assert!(decode(&DOMAIN, CHECKIN, &Bytes::from(bytes)).is_err());
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn arbitrary_json_never_panics_and_fails_at_the_envelope_if_the_gates_let_it_through() {
    let outcome = runner(3000).run(&any_json(), |value| {
        let rejection = decode(&DOMAIN, CHECKIN, &Bytes::from(value.to_string())).expect_err("no event by chance");
        let expected = [Reason::Envelope, Reason::BadCharacter, Reason::BadNumber, Reason::DuplicateKey];
        prop_assert!(expected.contains(&rejection.reason), "{rejection:?}");
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn a_good_event_with_changed_bytes_never_panics_and_keeps_its_identity_if_it_is_taken() {
    let good = checkin();
    let text = good.to_string().into_bytes();
    let original = decode(&DOMAIN, CHECKIN, &Bytes::from(text.clone())).expect("a good event");
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    let outcome = runner(20_000).run(&prop::collection::vec(change, 0..3), |changes| {
        let mut bytes = text.clone();
        for (place, byte, how) in &changes {
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = *byte,
                1 => bytes.insert(at, *byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(event) = decode(&DOMAIN, CHECKIN, &Bytes::from(bytes.clone())) {
            prop_assert_eq!(&event.payload.0, &bytes, "kept as it came");
            let same = (
                event.event_type == original.event_type,
                event.timestamp == original.timestamp,
                event.data == original.data,
            );
            prop_assert_eq!(event.content_hash == original.content_hash, same == (true, true, true));
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// Documents that the decoder accepts, made by chance: free data of an unknown type, and odd check-ins.
fn accepted(count: usize, match_id: Uuid) -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let (free, text) = (any_json(), ".*");
    let mut found = Vec::new();
    while found.len() < count {
        let sample = |runner: &mut TestRunner| free.new_tree(runner).expect("a value").current();
        let note = text.new_tree(&mut runner).expect("a text").current();
        let (id, checkin) = (Uuid::new_v4(), Uuid::new_v4());
        let at = "2026-01-01T00:00:00Z";
        let event = if found.len() % 2 == 0 {
            enveloped("buddy.hug.given", id, at, json!({"x": sample(&mut runner), "y": note}))
        } else {
            let data = json!({"checkinId": checkin, "matchId": match_id, "checkinDate": at, "notes": note,
                              "questionResponses": {"x": sample(&mut runner)}, "more": sample(&mut runner)});
            enveloped(CHECKIN, id, at, data)
        };
        let kind = event["type"].as_str().expect("a type").to_owned();
        if decode(&DOMAIN, &kind, &Bytes::from(event.to_string())).is_ok() {
            found.push(event);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_decoder_accepts_postgres_takes() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (match_id, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let events = accepted(400, match_id);
    // Half of them come before their match: they wait, and are read again from the event store.
    let (before, after) = events.split_at(200);
    world.publish_events(before).await;
    assert_eq!(world.drain(&[])["waiting"], 100);
    world
        .publish_events(&[csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)])
        .await;
    world.publish_events(after).await;
    let summary = world.drain(&[]);
    assert_eq!(
        json!([summary["applied"], summary["unrouted"], summary["released"], summary["dead_letters"]]),
        json!([103, 100, 100, 0]),
        "{summary}"
    );
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 200);
    for (event, row) in events.iter().zip(world.rows("select payload from event_log where event_type in ('buddy.hug.given', 'buddy.checkin.completed') order by stream_sequence").await) {
        assert_eq!(row["payload"]["data"]["y"], event["data"]["y"]);
        assert_eq!(row["payload"]["data"]["notes"], event["data"]["notes"]);
    }
    world.prove();
}
