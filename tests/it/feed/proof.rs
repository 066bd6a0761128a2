//! `prove` sees whatever is not as it was sealed.

use serde_json::{Value, json};

use crate::support::{Csr, HANDLED, World, eventually};

/// Three ranges, each of events of one month: May, June and July.
pub(super) async fn three_months() -> (World, Vec<(i64, i64)>) {
    let world = World::fed().await;
    let mut csr = Csr::new();
    for month in 5..8 {
        let events: Vec<Value> =
            (1..=9).map(|day| happened(&mut csr, &format!("2026-{month:02}-0{day}T10:00:00Z"))).collect();
        world.carry(&events).await;
    }
    let ranges = ranges(&world).await;
    assert_eq!(ranges.len(), 3, "{ranges:?}");
    (world, ranges)
}

/// Somebody gave a rating; of what, nobody knows yet.
pub(super) fn happened(csr: &mut Csr, at: &str) -> Value {
    let mut event = csr.rated(csr.company, "volunteer", 0.5);
    event["data"]["createdAt"] = json!(at);
    event
}

pub(super) async fn ranges(world: &World) -> Vec<(i64, i64)> {
    let rows = world
        .rows(
            "select first_position as f, last_position as l from feed_ranges join feed_generations using (generation)
        where state = 'current' order by 1",
        )
        .await;
    rows.iter().map(|row| (row["f"].as_i64().expect("a number"), row["l"].as_i64().expect("a number"))).collect()
}

/// Ways in which a table can be wrong about the second range; where the proof must see it.
pub(super) const DAMAGES: [(&str, &[&str], bool, bool); 7] = [
    ("deleted", &["delete from events_raw where position = FIRST"], true, true),
    ("doubled", &["insert into events_raw select * from events_raw where position = FIRST"], true, false),
    (
        "changed",
        &["alter table events_raw update payload = '{}' where position = FIRST settings mutations_sync = 2"],
        true,
        false,
    ),
    (
        "moved",
        &[
            "insert into events_raw select 1000000 as position, * except position from events_raw where position = FIRST",
            "delete from events_raw where position = FIRST",
        ],
        true,
        true,
    ),
    (
        "mistaken",
        &["alter table events_aggregated update rating_count = rating_count + 1 where hour = (
        select toStartOfHour(event_time) from events_raw where position = FIRST) settings mutations_sync = 2"],
        false,
        true,
    ),
    (
        "uncounted",
        &["delete from events_aggregated where hour = (
        select toStartOfHour(event_time) from events_raw where position = FIRST)"],
        false,
        true,
    ),
    (
        "emptied",
        &["alter table events_raw drop partition 202606", "alter table events_aggregated drop partition 202606"],
        true,
        false,
    ),
];

pub(super) fn damage(world: &World, statements: &[&str], (first, _): (i64, i64)) {
    for sql in statements {
        world.analytics().execute(&sql.replace("FIRST", &first.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_is_seen_and_named() {
    let (world, ranges) = three_months().await;
    let proof = world.is_well(&[]);
    assert_eq!(
        json!([proof["ranges"], proof["rows"], proof["unfed"], proof["differing"], proof["wrong_sums"]]),
        json!([3, 27, 0, [], []])
    );
    for (name, statements, is_range, is_sum) in DAMAGES {
        damage(&world, statements, ranges[1]);
        let (is_well, proof) = world.judged(&[]);
        assert!(!is_well, "{name}");
        let differing = if is_range { json!([ranges[1]]) } else { json!([]) };
        assert_eq!(proof["differing"], differing, "{name}: {proof}");
        assert_eq!(proof["wrong_sums"].as_array().map(|sums| !sums.is_empty()), Some(is_sum), "{name}: {proof}");
        let problems = proof["problems"].to_string();
        let names = match is_range {
            true => format!("positions {} to {}", ranges[1].0, ranges[1].1),
            false => "2026-06-01 10:00:00".to_owned(),
        };
        assert!(problems.contains(&names), "{name}: {problems}");
        let people = world.output(&["prove"]);
        let said = String::from_utf8_lossy(&people.stdout);
        assert!(people.status.code() == Some(1) && said.contains(&names) && said.contains("does not add up"), "{said}");
        world.is_well(&["--repair"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_store_has_lost_or_gained_is_seen() {
    let (world, ranges) = three_months().await;
    let (first, last) = ranges[1];
    let keep = "create table kept as select * from event_log where position = POSITION";
    world.execute(&keep.replace("POSITION", &first.to_string())).await;
    world
        .execute(&format!(
            "delete from waiting_events where position = {first}; delete from event_log where position = {first}"
        ))
        .await;
    let (is_well, proof) = world.judged(&[]);
    assert!(!is_well && proof["differing"] == json!([[first, last]]), "{proof}");
    assert!(
        proof["problems"][0].as_str().is_some_and(|said| said.contains("9 events were sealed, the store has 8")),
        "{proof}"
    );
    world.adds_up(&["--repair"]);
    world.is_all_there().await;
    world.execute("insert into event_log overriding system value select * from kept").await;
    let (is_well, proof) = world.judged(&[]);
    assert!(!is_well && proof["differing"] == json!([[first, last]]), "{proof}");
    world.adds_up(&["--repair"]);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn since_looks_at_what_was_received_and_at_hours_that_began_since_then() {
    let (world, ranges) = three_months().await;
    let received = world
        .rows(&format!(
            "select to_char(received_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ') as at
        from event_log where position = {}",
            ranges[1].0
        ))
        .await;
    let since = received[0]["at"].as_str().expect("a time").to_owned();
    let proof = world.is_well(&["--since", &since]);
    assert_eq!((&proof["ranges"], &proof["rows"]), (&json!(2), &json!(18)));

    let change = |position: i64| {
        let sql = format!(
            "alter table events_raw update payload = '{{}}' where position = {position} settings mutations_sync = 2"
        );
        world.analytics().execute(&sql);
    };
    change(ranges[0].0);
    world.is_well(&["--since", &since]);
    assert!(!world.judged(&[]).0);
    change(ranges[2].0);
    let (is_well, proof) = world.judged(&["--since", &since]);
    assert!(!is_well && proof["differing"] == json!([ranges[2]]), "{proof}");
    world.is_well(&["--since", &since, "--repair"]);
    let (is_well, proof) = world.judged(&[]);
    assert!(!is_well && proof["differing"] == json!([ranges[0]]), "only what was asked for was replaced: {proof}");
    world.is_well(&["--repair"]);

    let wrong = |at: &str| {
        world.analytics().execute(&format!(
            "alter table events_aggregated update events = events + 1 where hour = '{at}' settings mutations_sync = 2"
        ));
    };
    wrong("2026-06-05 10:00:00");
    for (since, is_seen) in
        [("2026-06-05T09:59:59.999999Z", true), ("2026-06-05T10:00:00Z", true), ("2026-06-05T10:00:00.000001Z", false)]
    {
        assert_eq!(world.judged(&["--since", since]).0, !is_seen, "{since}");
    }
    world.is_well(&["--since", "2026-06-06T00:00:00Z", "--repair"]);
    assert!(!world.judged(&[]).0, "hours before that are left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_never_wrong_while_events_stream_in() {
    let world = World::fed().await;
    let log = world.generate(&["--events", "3000", "--people", "200", "--seed", "7"]);
    let service = world.start(&["--workers", "2", "--batch", "20"]);
    let (mut rows, mut proofs) = (0, 0);
    for some in log.chunks(log.len().div_ceil(6)) {
        world.publish(some).await;
        let proof = world.is_well(&[]);
        assert!(proof["rows"].as_i64() >= Some(rows), "{proof}");
        rows = proof["rows"].as_i64().expect("a number");
    }
    let handled = i64::try_from(log.len()).expect("a number");
    world.reaches(HANDLED, |messages| messages >= handled);
    eventually("everything to be fed", || {
        let proof = world.is_well(&[]);
        proofs += 1;
        (proof["unfed"] == 0 && service.metric("milepost_lag_seconds", "stage=\"analytics\"") < 0.001).then_some(())
    });
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    world.drain(&[]);
    world.feed();
    world.is_well(&[]);
    world.is_all_there().await;
    eprintln!("{proofs} proofs");
}
