//! Envelopes that are broken or merely odd, types and versions that nobody knows, and our own events.

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Corpus, Fate};

const ID: &str = "/metadata/id";
const TIME: &str = "/metadata/timestamp";

const fn broken(field: &'static str) -> Fate {
    Fate::Dead("envelope", Some(field))
}

pub(super) fn plant(corpus: &mut Corpus) {
    ids(corpus);
    times(corpus);
    types_and_versions(corpus);
    shapes(corpus);
    own(corpus);
}

/// A check-in whose `metadata` has this in the place of a field.
fn with(corpus: &mut Corpus, field: &str, value: impl Into<Value>, fate: Fate) {
    let value = value.into();
    let name = format!("{field} {}", value.to_string().chars().take(50).collect::<String>());
    corpus.changed(&name, |event| event["metadata"][field] = value, fate);
}

fn ids(corpus: &mut Corpus) {
    let id = corpus.id().to_string();
    with(corpus, "id", Value::Null, broken("/id"));
    with(corpus, "id", json!(7), broken(ID));
    with(corpus, "id", json!({}), broken(ID));
    let long = "a".repeat(200_000);
    for text in [
        "",
        " ",
        "x",
        "%00",
        "'; drop table users; --",
        "\u{202e}\u{1F600}\n\"",
        &long,
        &format!("{{{id}}}"),
        &format!("urn:uuid:{id}"),
        &id.replace('-', ""),
        &format!(" {id}"),
        &format!("{id}\n"),
        &id.replace('a', "g"),
    ] {
        // The only id without an a is none that this test makes.
        if text != id {
            with(corpus, "id", text, broken(ID));
        }
    }
    corpus.changed(
        "an id in capitals",
        |event| {
            event["metadata"]["id"] = event["metadata"]["id"].as_str().expect("an id").to_uppercase().into();
        },
        Fate::Applied,
    );
    let all_zero = Uuid::nil().to_string();
    with(corpus, "id", all_zero, Fate::Applied);
    with(corpus, "correlationId", "x", broken("/metadata/correlationId"));
    with(corpus, "causationId", json!(1), broken("/metadata/causationId"));
    with(corpus, "correlationId", Value::Null, Fate::Applied);
    corpus.changed(
        "it caused itself",
        |event| {
            event["metadata"]["causationId"] = event["metadata"]["id"].clone();
        },
        Fate::Applied,
    );
}

fn times(corpus: &mut Corpus) {
    for text in [
        "2026-06-30T23:59:60Z",
        "2026-06-30T12:00:60Z",
        "2026-06-30T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "2300-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "294277-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+99:99",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01",
        "1767225600",
        "now",
        "",
        "infinity",
    ] {
        with(corpus, "timestamp", text, broken(TIME));
    }
    with(corpus, "timestamp", Value::Null, broken(TIME));
    for number in [json!(1_767_225_600), json!(1_767_225_600_000_i64), json!(1e18), json!(-1)] {
        with(corpus, "timestamp", number, broken(TIME));
    }
    for text in [
        "2026-01-01T00:00:00+14:00",
        "2026-01-01t00:00:00z",
        "2026-01-01T00:00:00-00:00",
        "2026-01-01T00:00:00.123456789Z",
        "2026-01-01T00:00:00.123456789012Z",
        "1900-01-01T00:00:00Z",
        "2016-01-01T00:00:00Z",
        "2036-01-01T00:00:00Z",
        "2299-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59Z",
    ] {
        with(corpus, "timestamp", text, Fate::Applied);
    }
}

fn types_and_versions(corpus: &mut Corpus) {
    let other = Fate::Dead("subject_mismatch", Some("/type"));
    let mut mismatched = corpus.checkin();
    mismatched["type"] = "buddy.feedback.submitted".into();
    let (id, bytes) = (mismatched["metadata"]["id"].clone(), mismatched.to_string());
    corpus.raw("another subject", bytes, other.clone());
    corpus.cases.last_mut().expect("a case").event_id = id.as_str().and_then(|id| id.parse().ok());
    for kind in ["Buddy.Checkin.Completed", "buddy.checkin.completed ", "buddy.>", "*", &"é".repeat(100)] {
        let text = corpus.checkin().to_string().replace("buddy.checkin.completed", kind);
        corpus.raw(&format!("type {kind:?} on the subject of check-ins"), text, other.clone());
    }
    let in_place =
        |kind: Value| move |text: String| text.replace("\"buddy.checkin.completed\"", &kind.to_string()).into_bytes();
    for kind in [json!(""), json!(null), json!(1), json!([]), json!("é".repeat(101))] {
        corpus.retyped(&format!("type {kind}"), in_place(kind), broken("/type"));
    }
    let unknown = corpus.of_type("buddy.hug.given", json!({"anything": [null, {"goes": 1}]}));
    corpus.event("a type that nobody knows", &unknown, Fate::Unrouted);
    for version in ["v2", "v0", "1", "V1", " v1", &"é".repeat(50)] {
        with(corpus, "version", version, Fate::Unrouted);
    }
    with(corpus, "version", Value::Null, Fate::Applied);
    for version in [json!(""), json!(1), json!("v".repeat(51))] {
        with(corpus, "version", version, broken("/metadata/version"));
    }
    // What is wrong with the data of an unknown version is not ours to say.
    corpus.changed(
        "an unknown version of anything",
        |event| {
            event["metadata"]["version"] = "v2".into();
            event["data"] = json!({"checkinId": 7});
        },
        Fate::Unrouted,
    );
}

fn shapes(corpus: &mut Corpus) {
    for data in [json!(null), json!([]), json!("SECRET"), json!(1)] {
        corpus.changed(&format!("data is {data}"), |event| event["data"] = data, broken("/data"));
    }
    let without =
        |name: &'static str| move |event: &mut Value| drop(event.as_object_mut().expect("an object").remove(name));
    corpus.changed("no data", without("data"), broken("/data"));
    corpus.changed("no metadata", without("metadata"), broken("/id"));
    corpus.retyped("no type", |text| text.replace("\"type\"", "\"kind\"").into_bytes(), broken("/type"));
    let cloud = |more: Value| {
        move |event: &mut Value| {
            let meta = event["metadata"].take();
            let mut whole = json!({"specversion": "1.0", "source": "test", "id": meta["id"], "type": event["type"],
                "time": meta["timestamp"], "data": event["data"]});
            for (name, value) in more.as_object().expect("an object") {
                whole[name] = value.clone();
            }
            *event = whole;
        }
    };
    corpus.changed("a CloudEvent", cloud(json!({"datacontenttype": "application/json"})), Fate::Applied);
    corpus.changed("an old CloudEvent", cloud(json!({"specversion": "0.3"})), broken("/specversion"));
    corpus.changed("a CloudEvent from nowhere", cloud(json!({"source": ""})), broken("/source"));
    corpus.changed("a CloudEvent of bytes", cloud(json!({"data_base64": "e30="})), broken("/data_base64"));
    corpus.changed("a CloudEvent without time", cloud(json!({"time": null})), broken("/time"));
    corpus.changed("another CloudEvents version of it", cloud(json!({"dataversion": "v9"})), Fate::Unrouted);
    corpus.changed(
        "free metadata that is none",
        |event| event["metadata"]["metadata"] = json!(1),
        broken("/metadata/metadata"),
    );
    corpus.changed(
        "more keys",
        |event| {
            event["extra"] = json!({"a": null});
            event["metadata"]["more"] = json!([1]);
            event["data"]["another"] = json!({"deep": {"er": null}});
        },
        Fate::Applied,
    );
}

/// What our own outbox published comes back through the stream; the same type from somebody else is theirs.
fn own(corpus: &mut Corpus) {
    let (person, at) = (corpus.people[0], "2026-01-01T00:00:00Z");
    let reached = json!({"userId": person, "milestone": "m", "reachedAt": at});
    let updated = json!({"userId": person, "updatedFields": [], "updatedAt": at});
    for (kind, data) in
        [("orchestration.journey.milestone.reached", reached), ("orchestration.profile.updated", updated)]
    {
        for (source, fate) in [("milepost", Fate::Own), ("somebody", Fate::Applied), ("Milepost", Fate::Applied)] {
            let mut event = corpus.of_type(kind, data.clone());
            event["metadata"]["metadata"] = json!({"source": source});
            corpus.event(&format!("{kind} of {source}"), &event, fate);
        }
    }
    let elsewhere = |event: &mut Value| event["metadata"]["metadata"] = json!({"source": "milepost"});
    corpus.changed("a check-in that says it is ours", elsewhere, Fate::Applied);
}
