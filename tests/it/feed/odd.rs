//! Odd texts, times and numbers: what is there is what was published, and both sides hash it alike.

use chrono::{DateTime, TimeDelta, Utc};
use milepost::domain::{Domain, Source};
use milepost::feed::{Body, Range, Row, Stored};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ClickHouse, Csr, World, chance, enveloped, seeds};

const TEXTS: [&str; 12] = [
    "",
    "\\N",
    "\t\n\r\\",
    "'\"`",
    "\u{1}\u{7}\u{8}\u{b}\u{c}\u{1b}\u{1f}\u{7f}",
    "é\u{301} 😀👩‍👩‍👧 \u{202e}",
    "\u{feff}\u{fffd}\u{10ffff}",
    "\\t\\n\\0\\x00",
    "\\",
    "{\"a\": [1, \"\\\"\"]}",
    "\u{1f} \u{1e}",
    "a\r\nb\u{2028}c",
];

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_through_as_they_are() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let long = "ä\\\t\"".repeat(200 * 1024 / 8);
    let odd = |text: &str| {
        let mut event = csr.event("buddy.thing.seen", json!({"text": text}));
        if !text.is_empty() && text.len() < 1000 {
            event["data"][text] = json!([text]);
            event["metadata"]["version"] = json!(text.chars().take(40).collect::<String>());
        }
        event
    };
    let events: Vec<Value> = TEXTS.iter().copied().chain([&*long]).map(odd).collect();
    world.carry(&events).await;
    assert_eq!(world.dead_letters(), Vec::<Value>::new());
    let carried = world.analytics().rows("select version, payload from events_raw order by position");
    assert_eq!(carried.len(), events.len());
    for (row, event) in carried.iter().zip(&events) {
        let payload: Value = serde_json::from_str(row["payload"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&payload, &row["version"]), (event, &event["metadata"]["version"]));
    }
    world.is_well(&[]);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_four_centuries_come_through_to_the_microsecond() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let times = [
        ("1900-01-01T00:00:00Z", "1900-01-01 00:00:00.000000"),
        ("1900-01-01T12:00:00.000001+05:30", "1900-01-01 06:30:00.000001"),
        ("1950-06-15T23:59:59.999999999-14:00", "1950-06-16 13:59:59.999999"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31 23:59:59.999999"),
        ("1999-12-31T23:59:59.5Z", "1999-12-31 23:59:59.500000"),
        ("2000-01-01T00:00:00Z", "2000-01-01 00:00:00.000000"),
        ("2026-03-29T02:30:00.123456+01:00", "2026-03-29 01:30:00.123456"),
        ("2099-12-31T23:59:59.999999Z", "2099-12-31 23:59:59.999999"),
        ("2100-01-01T00:00:00.0000019Z", "2100-01-01 00:00:00.000001"),
        ("2250-02-28T00:00:00.000010Z", "2250-02-28 00:00:00.000010"),
        ("2299-12-31T23:59:59.999999Z", "2299-12-31 23:59:59.999999"),
    ];
    let envelopes = times.map(|(at, _)| enveloped("buddy.thing.seen", csr.id(), at, json!({})));
    let mut batch =
        |at| json!({"batchId": csr.id(), "entity": "e", "source": "s", "sha256": "x", "rowCount": 1, "importedAt": at});
    let data = times.map(|(at, _)| batch(at));
    let data = data.map(|data| csr.event("buddy.import.batch", data));
    // What is beyond by its zone is refused at the door.
    let beyond = ["1900-01-01T00:00:00+00:01", "2299-12-31T23:59:59-00:01"];
    let beyond = beyond.map(|at| enveloped("buddy.thing.seen", csr.id(), at, json!({})));
    world.carry(&[&envelopes[..], &data, &beyond].concat()).await;
    assert_eq!(world.dead_letters().len(), 2);
    let wanted: Vec<String> = times.iter().map(|(_, there)| (*there).to_owned()).collect();
    for event_type in ["buddy.thing.seen", "buddy.import.batch"] {
        let sql = format!("select event_time from events_raw where event_type = '{event_type}' order by position");
        assert_eq!(world.analytics().lines(&sql), wanted, "{event_type}");
    }
    let hours =
        "select sum(events) from events_aggregated where hour in ('1900-01-01 00:00:00', '2299-12-31 23:00:00')";
    assert_eq!(world.analytics().number(hours), 4);
    world.is_well(&[]);
    world.succeed(&["rebuild", "analytics", "--diff"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn measures_have_six_places_rounded_half_away_from_zero() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let cases = [
        ("hours", "0.1", "6"),
        ("hours", "1e4", "600000"),
        ("logged", "1e-7", "0.000006"),
        ("logged", "1e-8", "0.000001"),
        ("logged", "0.000000008333", "0"),
        ("hours", "2.3333333333333335", "140"),
        ("hours", "1.00", "60"),
        ("rating", "0.0000005", "0.000001"),
        ("rating", "0.00000049999999999", "0"),
        ("rating", "1e-300", "0"),
        ("rating", "0.123456499999", "0.123456"),
        ("rating", "0.1234565", "0.123457"),
        ("rating", "1.0", "1"),
        ("rating", "0.30000000000000004", "0.3"),
        ("rating", "0", "0"),
        ("points", "2147483647", "2147483647"),
        ("mean", "0.1,0.2", "0.15"),
        ("mean", "0.333333,0.333334", "0.333334"),
        ("mean", "1,0", "0.5"),
        ("mean", "0.7,null", "0.7"),
        ("mean", "null,null", "\\N"),
    ];
    let mut messages = Vec::new();
    for (what, number, _) in cases {
        let at = csr.tick();
        let (event_type, data) = match what {
            "hours" => (
                "external.volunteer.logged",
                json!({"externalId": csr.id().to_string(), "source": "workday",
                "userId": csr.id(), "companyId": csr.company, "activityName": "x", "activityType": "other",
                "hours": "NUMBER", "activityDate": at}),
            ),
            "logged" => (
                "ingest.volunteer.logged",
                json!({"sourceSystem": "manual", "sourceId": csr.id().to_string(), "sourceTenantId": "t",
                    "userId": csr.id(), "externalUserId": "x", "companyId": csr.company, "activityName": "x",
                    "activityType": "other", "hoursLogged": "NUMBER", "activityDate": at}),
            ),
            "rating" => (
                "kintell.rating.created",
                json!({"ratingId": csr.id(), "sessionId": csr.id(),
                "fromRole": "volunteer", "rating": "NUMBER", "createdAt": at}),
            ),
            "points" => (
                "buddy.milestone.reached",
                json!({"milestoneId": 1, "userId": csr.id(), "milestoneTitle": "x",
                "milestoneCategory": "impact", "reachedAt": at, "points": "NUMBER"}),
            ),
            _ => (
                "buddy.skill_share.completed",
                json!({"sessionId": csr.id(), "skillId": 1, "skillName": "x",
                "teacherId": csr.id(), "learnerId": csr.id(), "completedAt": at,
                "feedback": {"teacherRating": "NUMBER", "learnerRating": "OTHER"}}),
            ),
        };
        let (one, other) = number.split_once(',').unwrap_or((number, ""));
        let text = csr.event(event_type, data).to_string().replace("\"NUMBER\"", one).replace("\"OTHER\"", other);
        messages.push((event_type.to_owned(), text.into_bytes()));
    }
    world.publish(&messages).await;
    assert_eq!(world.drain(&[])["dead_letters"], 0, "{:?}", world.dead_letters());
    world.feed();
    let carried = world.analytics().lines("select coalesce(minutes, rating, points) from events_raw order by position");
    let wanted: Vec<String> = cases.iter().map(|(_, _, there)| (*there).to_owned()).collect();
    assert_eq!(carried, wanted, "{cases:?}");
    world.is_well(&[]);
}

fn text(chance: &mut StdRng, length: usize) -> String {
    let letter = |chance: &mut StdRng| match chance.random_range(0..4) {
        0 => ['\\', '\t', '\n', '\r', '\'', '"', 'N', '\u{1f}', '\u{8}', ' '][chance.random_range(0..10)],
        1 => char::from(chance.random_range(1..128_u8)),
        _ => char::from_u32(chance.random_range(1..0x0011_0000)).unwrap_or('é'),
    };
    (0..chance.random_range(0..=length)).map(|_| letter(chance)).collect()
}

fn moment(chance: &mut StdRng) -> DateTime<Utc> {
    let first: DateTime<Utc> = "1900-01-01T00:00:00Z".parse().expect("a time");
    let micros = TimeDelta::days(365 * 400 - 1).num_microseconds().expect("a number");
    first + TimeDelta::microseconds(chance.random_range(0..micros))
}

fn stored(chance: &mut StdRng, position: i64) -> Stored {
    let id = |chance: &mut StdRng| Uuid::from_u128(chance.random());
    let (payload, event_type) = match chance.random_range(0..3) {
        0 => (json!({"data": {"x": text(chance, 300)}, text(chance, 9): text(chance, 9)}), text(chance, 30)),
        1 => (
            json!({"data": {"ratingId": id(chance), "sessionId": id(chance), "fromRole": "volunteer",
            "rating": chance.random_range(0.0..1.0), "createdAt": moment(chance)}}),
            "kintell.rating.created".to_owned(),
        ),
        _ => (
            json!({"data": {"externalId": text(chance, 9), "source": "workday", "userId": id(chance), "companyId": id(chance),
            "activityName": text(chance, 20), "activityType": "other", "hours": chance.random_range(1e-9..1e4),
            "activityDate": moment(chance)}}),
            "external.volunteer.logged".to_owned(),
        ),
    };
    Stored {
        position,
        event_id: id(chance),
        event_type,
        payload: payload.to_string(),
        version: if chance.random_range(0..3) == 0 { text(chance, 50) } else { "v1".to_owned() },
        user_id: (chance.random_range(0..2) == 0).then(|| id(chance).to_string().to_uppercase()),
        timestamp: moment(chance),
        received_at: moment(chance),
        correlation_id: (chance.random_range(0..2) == 0).then(|| id(chance)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_hash_awkward_rows_alike() {
    let domain = Domain::load(&Source::BuiltIn).expect("the built-in folder");
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    for (from, seed) in (1_i64..).step_by(1000).zip(seeds(4)) {
        let mut chance = chance(seed);
        let mut body = Body::of(&domain.layout);
        for position in from..from + 1000 {
            Row::of(&domain, &domain.layout, stored(&mut chance, position)).write(&mut body);
        }
        assert_eq!(body.events, 1000);
        let token = seed.to_string();
        let settings = [("insert_deduplication_token", &*token)];
        let range = Range::of(1, from, from + 999, body);
        let rows = range.rows().expect("rows");
        sink.insert("events_raw", &[], "Native", rows, &settings).await.expect("an insert");
        let found = sink.content("events_raw", &domain.layout, from, from + 999).await.expect("an answer");
        if (found.events, found.hash) != (range.events, range.hash) {
            let distinct = clickhouse.lines("select distinct event_type, version from events_raw limit 5");
            panic!("seed {seed}: {found:?} where {} rows hash to {}: {distinct:?}", range.events, range.hash);
        }
    }
    let rated = clickhouse.number("select count() from events_raw where rating is not null");
    assert!(rated > 500, "contracts read them: {rated}");
}
