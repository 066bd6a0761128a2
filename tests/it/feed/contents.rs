//! What of an event is in ClickHouse, column by column, and which events are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World, enveloped};
use crate::types::examples::{ADA, BOB, COMPANY, Example, FOUNDATIONS, examples};
use crate::types::{Envelope, cloud_event, flat};

const PROGRAM: &str = "00000000-0000-4000-8000-000000000300";
const CAMPAIGN: &str = "00000000-0000-4000-8000-000000000301";

/// Fields of `data`: whom a type is about and when it happened; then minutes, rating and points of its example.
type Meaning = (&'static str, &'static str, [Option<&'static str>; 3]);

fn meaning(event_type: &str) -> Meaning {
    const NONE: [Option<&str>; 3] = [None, None, None];
    match event_type {
        "buddy.match.created" => ("participantId", "matchedAt", NONE),
        "buddy.match.ended" => ("participantId", "endedAt", NONE),
        "buddy.event.logged" => ("", "eventDate", NONE),
        "buddy.event.attended" => ("userId", "attendedAt", [Some("90"), None, None]),
        "buddy.skill_share.completed" => ("learnerId", "completedAt", [Some("45"), Some("0.805"), Some("3")]),
        "buddy.checkin.completed" => ("", "checkinDate", NONE),
        "buddy.feedback.submitted" => ("", "submittedAt", [None, Some("0.8"), None]),
        "buddy.milestone.reached" => ("userId", "reachedAt", [None, None, Some("50")]),
        "buddy.import.batch" => ("", "importedAt", NONE),
        "kintell.session.scheduled" => ("participantId", "scheduledAt", NONE),
        "kintell.session.completed" => ("participantId", "completedAt", [Some("60"), None, None]),
        "kintell.rating.created" => ("", "createdAt", [None, Some("0.8"), None]),
        "upskilling.progress.updated" => ("userId", "updatedAt", NONE),
        "upskilling.course.completed" => ("userId", "completedAt", NONE),
        "upskilling.credential.issued" => ("userId", "issuedAt", NONE),
        "q2q.outcome.scored" => ("userId", "scoredAt", NONE),
        "company.synced" => ("", "syncedAt", NONE),
        "external.user.synced" => ("", "", NONE),
        "ingest.directory.synced" => ("userId", "lastUpdated", NONE),
        "ingest.volunteer.logged" => ("userId", "activityDate", [Some("135"), None, None]),
        "ingest.enrollment.created" => ("userId", "enrollmentDate", NONE),
        "external.volunteer.logged" => ("userId", "activityDate", [Some("6"), None, None]),
        "ingest.donation.made" | "external.donation.made" => ("userId", "donationDate", NONE),
        "ingest.placement.created" => ("userId", "placementDate", NONE),
        "program.synced" | "program.campaign.synced" => ("", "syncedAt", NONE),
        "safety.flag.raised" => ("", "raisedAt", NONE),
        "safety.review.completed" => ("", "completedAt", NONE),
        "privacy.consent.changed" => ("userId", "changedAt", NONE),
        "privacy.request.opened" => ("userId", "openedAt", NONE),
        "privacy.request.completed" => ("userId", "completedAt", NONE),
        "privacy.person.erased" => ("userId", "erasedAt", NONE),
        "orchestration.journey.milestone.reached" => ("userId", "reachedAt", NONE),
        "orchestration.profile.updated" => ("userId", "updatedAt", NONE),
        other if other.starts_with("nlq.") || other.starts_with("reporting.") => ("", "", NONE),
        other => panic!("what does {other} mean?"),
    }
}

fn moment(text: &Value) -> String {
    let at: DateTime<Utc> = text.as_str().and_then(|text| text.parse().ok()).expect("a time");
    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The document without what is personal.
fn open(value: &Value) -> Value {
    const PERSONAL: [&str; 10] = [
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
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !PERSONAL.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), open(value)))
            .collect(),
        Value::Array(items) => items.iter().map(open).collect(),
        other => other.clone(),
    }
}

/// A row as it must be, but for position and time of reception.
fn expected(event: &Value, as_published: &Value) -> Value {
    let (event_type, data, meta) = (event["type"].as_str().expect("a type"), &event["data"], &event["metadata"]);
    let (user, time, [minutes, rating, points]) = meaning(event_type);
    let user = data.get(user).cloned().unwrap_or_default();
    let is_known = user == ADA || user == BOB;
    let known = |what: &str| if is_known { json!(what) } else { Value::Null };
    let named = |field: &str, what: &str| match event_type {
        "program.synced" | "program.campaign.synced" => data.get(field).cloned().unwrap_or_default(),
        _ => known(what),
    };
    let amount = event_type.ends_with("donation.made").then(|| data["amount"].to_string());
    json!({
        "event_id": meta["id"], "event_type": event_type, "family": event_type.split('.').next(), "version": "v1",
        "user_id": user,
        "company_id": data.get("companyId").cloned().unwrap_or_else(|| known(COMPANY)),
        "program_id": named("programId", PROGRAM), "campaign_id": named("campaignId", CAMPAIGN),
        "event_time": moment(data.get(time).unwrap_or_else(|| &meta["timestamp"])), "correlation_id": meta["correlationId"],
        "minutes": minutes, "rating": rating, "points": points, "amount": amount, "payload": open(as_published),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_in_every_envelope_is_carried_column_by_column() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let envelopes: [Envelope; 3] = [Value::clone, flat, cloud_event];
    let (mut rows, mut published) = (BTreeMap::new(), Vec::new());
    for envelope in envelopes {
        for Example { event_type, data, .. } in FOUNDATIONS.iter().map(|make| make()).chain(examples()) {
            let mut event = enveloped(event_type, csr.id(), &csr.tick(), data);
            event["metadata"]["correlationId"] = json!(csr.id());
            event["data"]["anExtraKey"] = json!({"kept": [null, 0.1, "tab\tnew\nline\\"]});
            let message = envelope(&event);
            rows.insert(event["metadata"]["id"].as_str().expect("an id").to_owned(), expected(&event, &message));
            published.push(message);
        }
    }
    world.carry(&published).await;
    let stored = world
        .rows(
            "select position::text, event_id,
        to_char(received_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as received_at from event_log",
        )
        .await;
    for row in stored {
        let expected = rows.get_mut(row["event_id"].as_str().expect("an id")).expect("it was published");
        (expected["position"], expected["received_at"]) = (row["position"].clone(), row["received_at"].clone());
    }
    let carried = world.analytics().rows("select toString(position) as position, * except position from events_raw");
    assert_eq!(carried.len(), published.len());
    for mut row in carried {
        row["payload"] = serde_json::from_str(row["payload"].as_str().expect("a text")).expect("JSON");
        let id = row["event_id"].as_str().expect("an id");
        assert_eq!(rows.remove(id).as_ref(), Some(&row), "{}", row["event_type"]);
    }
    assert_eq!(world.is_well(&[])["rows"], published.len());
    world.is_all_there().await;
}

/// Something that a person did at a time, told long afterwards.
fn reached(csr: &mut Csr, person: Uuid, number: usize, at: &str) -> Value {
    let data = json!({"milestoneId": number, "userId": person, "milestoneTitle": "x", "milestoneCategory": "impact",
        "reachedAt": at, "points": 1});
    enveloped("buddy.milestone.reached", csr.id(), "2026-09-01T00:00:00Z", data)
}

/// A directory says at a time for which company somebody works.
fn works(csr: &mut Csr, person: Uuid, company: u128, at: &str) -> Value {
    let mut event = csr.person(person);
    (event["data"]["companyId"], event["data"]["lastUpdated"], event["metadata"]["timestamp"]) =
        (json!(Uuid::from_u128(company)), json!(at), json!(at));
    event
}

const MOMENTS: [&str; 6] = [
    "2026-02-01T00:00:00Z",
    "2026-03-01T00:00:00Z",
    "2026-04-30T23:59:59.999999Z",
    "2026-05-01T00:00:00Z",
    "2026-05-10T12:00:00Z",
    "2026-08-01T00:00:00Z",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_does_not_name_is_what_was_known_of_its_person_then() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let [person, buddy] = [csr.id(), csr.id()];
    let mut events = vec![
        works(&mut csr, person, 0xa, "2026-03-01T00:00:00Z"),
        works(&mut csr, person, 0xb, "2026-05-01T00:00:00Z"),
        works(&mut csr, buddy, 0xd, "2026-01-01T00:00:00Z"),
    ];
    let mut matched = csr.matched(Uuid::from_u128(1), person, buddy);
    (matched["data"]["matchedAt"], matched["data"]["programId"], matched["data"]["campaignId"]) =
        (json!("2026-03-10T00:00:00Z"), json!(Uuid::from_u128(0x11)), json!(Uuid::from_u128(0xc1)));
    let course = json!({"progressId": csr.id(), "userId": person, "provider": "p", "courseId": "c", "courseName": "n",
        "completedAt": "2026-05-10T12:00:00Z", "programId": Uuid::from_u128(0x12)});
    events.extend([matched, csr.event("upskilling.course.completed", course)]);
    events.extend((1..).zip(MOMENTS).map(|(number, at)| reached(&mut csr, person, number, at)));
    let named = json!({"externalId": "v", "source": "workday", "userId": person, "companyId": Uuid::from_u128(0xe),
        "activityName": "x", "activityType": "other", "hours": 1, "activityDate": "2026-08-01T00:00:00Z"});
    events.push(csr.event("external.volunteer.logged", named));
    world.carry(&events).await;

    let short = |column: &str| format!("replaceRegexpOne(ifNull(toString({column}), '-'), '^[0-]+', '')");
    let told =
        |filter: &str| {
            world.analytics().lines(&format!(
            "select concat({}, ' ', {}, ' ', {}) from events_raw where event_type like '{filter}' order by event_time",
            short("company_id"), short("program_id"), short("campaign_id")
        ))
        };
    let before = ["a 11 c1", "a 11 c1", "a 11 c1", "b 11 c1", "b 12 c1", "b 12 c1"];
    assert_eq!(told("%milestone%"), before);
    assert_eq!(told("%volunteer%"), ["e 12 c1"], "what it names goes first");
    let content = world.content("events_raw");

    // Somebody tells later that there was a company in between. What was fed stays; what comes is told anew.
    let late = reached(&mut csr, person, 77, "2026-04-15T00:00:00Z");
    world.carry(&[works(&mut csr, person, 0xc, "2026-04-01T00:00:00Z"), late]).await;
    assert_eq!(told("%milestone%"), ["a 11 c1", "a 11 c1", "c 11 c1", "a 11 c1", "b 11 c1", "b 12 c1", "b 12 c1"]);
    let now = world.content("events_raw");
    assert!(content.iter().all(|row| now.contains(row)), "nothing changes afterwards");
    world.is_well(&[]);

    world.succeed(&["rebuild", "analytics"]);
    assert_eq!(told("%milestone%"), ["a 11 c1", "a 11 c1", "c 11 c1", "c 11 c1", "b 11 c1", "b 12 c1", "b 12 c1"]);
    world.is_well(&[]);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_unrouted_or_our_own_is_there_and_dead_letters_are_not() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let match_id = csr.id();
    let [one, other] = [csr.id(), csr.id()];
    let mut later = csr.matched(csr.company, one, other);
    later["metadata"]["version"] = json!("v2");
    let mut broken = csr.logged(match_id);
    broken["data"]["eventDate"] = json!("tomorrow");
    let unknown = csr.event("buddy.thing.seen", json!({"userId": one, "companyId": csr.company, "minutes": 5}));
    let waiting = csr.checkin(csr.company);
    let events = [
        csr.person(one),
        csr.person(other),
        csr.matched(match_id, one, other),
        later.clone(),
        broken,
        unknown.clone(),
        waiting.clone(),
    ];
    world.publish_events(&events).await;
    let summary = world.drain_all(&[]);
    assert_eq!(json!([summary["unrouted"], summary["dead_letters"], summary["waiting_total"]]), json!([2, 1, 1]));
    assert!(summary["own"].as_i64() > Some(0), "{summary}");
    world.is_all_there().await;
    let count =
        |condition: &str| world.analytics().number(&format!("select count() from events_raw where {condition}"));
    assert_eq!(Some(count("family = 'orchestration'")), summary["own"].as_i64());
    for (event, condition) in [
        (&later, "version = 'v2' and user_id is null and program_id is null"),
        (&unknown, "family = 'buddy' and user_id is null and company_id is null and minutes is null"),
        (&waiting, "event_type = 'buddy.checkin.completed'"),
    ] {
        let (id, at) = (&event["metadata"]["id"], moment(&event["metadata"]["timestamp"]));
        let is_dated = if event == &waiting { String::new() } else { format!(" and event_time = '{at}'") };
        assert_eq!(
            count(&format!("event_id = {} and {condition}{is_dated}", id.to_string().replace('"', "'"))),
            1,
            "{event}"
        );
    }
    world.is_well(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_when_it_is_released_leaves_and_comes_back_when_it_is_redriven() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    world.execute("alter table buddy_events add constraint nowhere check (location <> 'nowhere')").await;
    let [match_id, one, other] = [csr.id(), csr.id(), csr.id()];
    let poison = |csr: &mut Csr| {
        let mut event = csr.logged(match_id);
        event["data"]["location"] = json!("nowhere");
        event
    };
    let events = [csr.logged(match_id), poison(&mut csr), csr.logged(match_id)];
    world.carry(&events).await;
    assert_eq!(world.analytics().number("select count() from events_raw"), 3, "they wait, and are fed");
    // This one will be gone before anybody has fed it.
    world.publish_events(&[poison(&mut csr)]).await;
    assert_eq!(world.drain(&[])["waiting"], 1);
    world.publish_events(&[csr.person(one), csr.person(other), csr.matched(match_id, one, other)]).await;
    assert_eq!(world.drain(&[])["released"], 2);
    assert_eq!(world.dead_letters().len(), 2);
    assert_eq!(world.number("select count(*) from feed_outdated").await, 2);
    world.feed();
    assert_eq!(world.number("select count(*) from feed_outdated").await, 0);
    world.is_all_there().await;
    assert_eq!(world.is_well(&[])["rows"], 5);

    world.execute("alter table buddy_events drop constraint nowhere").await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    world.feed();
    assert_eq!(world.is_well(&[])["rows"], 7);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_at_the_end_of_the_store_keeps_nobody_waiting() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    let (events, waiting) = (csr.people(2), csr.checkin(csr.company));
    world.carry(&events).await;
    world.publish_events(&[waiting]).await;
    assert_eq!(world.drain(&[])["waiting"], 1);
    world
        .execute(
            "select event_log_withdraw(array(select position from waiting_events));
                   delete from waiting_events",
        )
        .await;
    assert_eq!(world.number("select count(*) from feed_outdated").await, 1);
    world.feed();
    world.is_all_there().await;
    world.carry(&csr.people(1)).await;
    world.is_all_there().await;
    assert_eq!(world.number("select count(*) from feed_outdated").await, 0);
}
