//! Courses: progress, completion and credential in every order, and each without the others.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::orders;
use crate::support::{Csr, World, enveloped};

/// What a course is told by: type, minute of the event, its own day, and more.
type Telling = (&'static str, u32, &'static str, Value);

fn told(csr: &mut Csr, person: Uuid, (kind, minute, day, more): &Telling) -> Value {
    let at = format!("2026-01-{day}T00:00:00Z");
    let (event_type, mut data) = match *kind {
        "progress" => ("upskilling.progress.updated", json!({"progressId": person, "updatedAt": at})),
        "completion" => ("upskilling.course.completed", json!({"progressId": person, "completedAt": at})),
        _ => (
            "upskilling.credential.issued",
            json!({"credentialId": person, "credentialType": "diploma", "issuedAt": at}),
        ),
    };
    let course = json!({"userId": person, "provider": "p", "courseId": "c", "courseName": format!("name {minute}")});
    for part in [&course, more] {
        data.as_object_mut().expect("an object").extend(part.as_object().expect("an object").clone());
    }
    enveloped(event_type, csr.id(), &format!("2026-02-01T00:{minute:02}:00Z"), data)
}

fn progress(minute: u32, day: &'static str, status: &str, percent: u32) -> Telling {
    ("progress", minute, day, json!({"status": status, "progressPercent": percent}))
}

fn completion(minute: u32, day: &'static str, more: Value) -> Telling {
    ("completion", minute, day, more)
}

fn credential(minute: u32, day: &'static str) -> Telling {
    ("credential", minute, day, json!({}))
}

const COURSES: &str = "select user_id, course_name, status, progress_percent, credential_ref, metadata,
    to_char(started_at at time zone 'UTC', 'DD') as started, to_char(completed_at at time zone 'UTC', 'DD') as completed,
    to_char(updated_at at time zone 'UTC', 'DD') as updated from learning_progress";
const ENROLLED: &str = "select user_id, status, to_char(enrolled_at at time zone 'UTC', 'DD') as enrolled,
    to_char(completed_at at time zone 'UTC', 'DD') as completed, program_id from program_enrollments";

/// Rows by person, without the person.
async fn by_person(world: &World, sql: &str) -> BTreeMap<Uuid, Value> {
    let entry = |mut row: Value| {
        let person = row.as_object_mut().expect("an object").remove("user_id").expect("a person");
        (person.as_str().and_then(|id| id.parse().ok()).expect("an id"), row)
    };
    world.rows(sql).await.into_iter().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_a_course_is_what_was_told_of_it() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "7"]] {
        let world = World::new().await;
        let mut csr = Csr::new();
        let program = csr.id();
        let tellings = [
            progress(1, "05", "in_progress", 40),
            progress(2, "08", "completed", 100),
            progress(5, "06", "in_progress", 60),
            completion(3, "09", json!({"credentialRef": "ref", "finalScore": 88.5, "programId": program})),
            credential(4, "07"),
        ];
        let mut events = Vec::new();
        let mut people = Vec::new();
        for order in orders(5) {
            let person = csr.id();
            events.push(csr.person(person));
            events.extend(order.iter().map(|place| told(&mut csr, person, &tellings[*place])));
            people.push((person, order));
        }
        world.publish_events(&events).await;
        let summary = world.drain(run);
        assert_eq!((&summary["waiting_total"], &summary["dead_letters"]), (&json!(0), &json!(0)), "{summary}");
        let (courses, enrolled) = (by_person(&world, COURSES).await, by_person(&world, ENROLLED).await);
        for (person, order) in &people {
            let course = json!({"course_name": "name 5", "status": "completed", "progress_percent": 100,
                "credential_ref": person, "metadata": {"final_score": 88.5, "credential_type": "diploma"},
                "started": "05", "completed": "09", "updated": "09"});
            assert_eq!(courses[person], course, "{order:?} {run:?}");
            let enrolment = json!({"status": "completed", "enrolled": "05", "completed": "09", "program_id": program});
            assert_eq!(enrolled[person], enrolment, "{order:?} {run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_telling_alone_and_beside_another_makes_the_course_and_the_enrolment() {
    let none = || json!(null);
    let cases = [
        (vec![progress(1, "05", "enrolled", 0)], ("enrolled", 0, json!("05"), none()), ("active", "05", none())),
        (vec![progress(1, "05", "dropped", 30)], ("dropped", 30, json!("05"), none()), ("dropped", "05", none())),
        (
            vec![progress(1, "05", "completed", 90)],
            ("completed", 90, json!("05"), json!("05")),
            ("completed", "05", json!("05")),
        ),
        // The latest updatedAt counts, not what came last; the first completion stands.
        (
            vec![progress(2, "05", "completed", 99), progress(1, "08", "in_progress", 50)],
            ("in_progress", 50, json!("05"), json!("05")),
            ("active", "05", none()),
        ),
        (
            vec![completion(1, "09", json!({})), completion(2, "08", json!({}))],
            ("completed", 100, none(), json!("08")),
            ("completed", "08", json!("08")),
        ),
        (vec![credential(1, "07")], ("completed", 100, none(), json!("07")), ("completed", "07", json!("07"))),
        (
            vec![credential(1, "04"), progress(2, "05", "in_progress", 60)],
            ("in_progress", 60, json!("05"), none()),
            ("active", "05", none()),
        ),
        (
            vec![completion(1, "09", json!({})), progress(2, "10", "dropped", 60)],
            ("completed", 100, json!("10"), json!("09")),
            ("completed", "09", json!("09")),
        ),
    ];
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut events = Vec::new();
    let mut people = Vec::new();
    for (tellings, course, enrolment) in cases {
        let person = csr.id();
        events.push(csr.person(person));
        events.extend(tellings.iter().map(|telling| told(&mut csr, person, telling)));
        people.push((person, tellings, course, enrolment));
    }
    world.publish_events(&events).await;
    assert_eq!(world.drain(&["--batch", "1"])["applied"], events.len());
    let (courses, enrolled) = (by_person(&world, COURSES).await, by_person(&world, ENROLLED).await);
    for (person, tellings, (status, percent, started, completed), (enrolment, since, until)) in people {
        let row = &courses[&person];
        let is = [&row["status"], &row["progress_percent"], &row["started"], &row["completed"]];
        assert_eq!(is, [&json!(status), &json!(percent), &started, &completed], "{tellings:?}");
        let expected = json!({"status": enrolment, "enrolled": since, "completed": until, "program_id": null});
        assert_eq!(enrolled[&person], expected, "{tellings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_enrolment_is_active_while_any_course_is_and_then_completed_before_dropped() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let person = csr.id();
    world.publish_events(&[csr.person(person)]).await;
    for (course, telling, expected) in [
        ("a", completion(1, "10", json!({})), json!({"status": "completed", "enrolled": "10", "completed": "10"})),
        ("b", progress(2, "08", "enrolled", 0), json!({"status": "active", "enrolled": "08", "completed": null})),
        ("b", progress(3, "12", "dropped", 5), json!({"status": "completed", "enrolled": "08", "completed": "10"})),
        ("c", credential(4, "15"), json!({"status": "completed", "enrolled": "08", "completed": "15"})),
    ] {
        let mut event = told(&mut csr, person, &telling);
        event["data"]["courseId"] = json!(course);
        world.publish_events(&[event]).await;
        world.drain(&[]);
        let mut row = by_person(&world, ENROLLED).await.remove(&person).expect("an enrolment");
        row.as_object_mut().expect("an object").remove("program_id");
        assert_eq!(row, expected, "{course}");
    }
}
