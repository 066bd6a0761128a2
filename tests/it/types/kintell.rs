//! Sessions that are scheduled, scheduled anew, completed and rated, in every order.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{all_applied, orders};
use crate::support::{Csr, World, enveloped};

/// One session, and everybody whom an event of it names.
struct Told {
    session: Uuid,
    /// Named by the first schedule only.
    earlier: Uuid,
    participant: Uuid,
    volunteer: Uuid,
    program: Uuid,
}

/// Scheduled for somebody else, scheduled anew, completed as something earlier than the second schedule, rated twice.
fn tellings(csr: &mut Csr, told: &Told) -> [Value; 5] {
    let mut of = |event_type, minute: u32, more: Value| {
        let mut data = json!({"sessionId": told.session});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        enveloped(event_type, csr.id(), &format!("2026-01-20T00:{minute:02}:00Z"), data)
    };
    [
        of(
            "kintell.session.scheduled",
            1,
            json!({"sessionType": "mentorship", "participantId": told.earlier, "volunteerId": told.volunteer,
                "externalSessionId": "first", "scheduledAt": "2026-01-10T09:00:00Z"}),
        ),
        of(
            "kintell.session.scheduled",
            3,
            json!({"sessionType": "language", "participantId": told.participant, "volunteerId": told.volunteer,
                "externalSessionId": "second", "scheduledAt": "2026-01-12T09:00:00Z"}),
        ),
        of(
            "kintell.session.completed",
            2,
            json!({"sessionType": "language", "participantId": told.participant, "volunteerId": told.volunteer,
                "scheduledAt": "2026-01-11T09:00:00Z", "completedAt": "2026-01-11T10:00:00Z", "durationMinutes": 55,
                "languageLevel": "c2", "programId": told.program}),
        ),
        of(
            "kintell.rating.created",
            4,
            json!({"ratingId": csr_id(told, 1), "fromRole": "participant", "rating": 0.7, "feedbackText": "p",
                "createdAt": "2026-01-11T11:00:00Z"}),
        ),
        of(
            "kintell.rating.created",
            5,
            json!({"ratingId": csr_id(told, 2), "fromRole": "volunteer", "rating": 0.81, "feedbackText": "v",
                "createdAt": "2026-01-11T12:00:00Z"}),
        ),
    ]
}

/// An id that follows from the session's.
fn csr_id(told: &Told, number: u128) -> Uuid {
    Uuid::from_u128(told.session.as_u128().wrapping_add(number << 64))
}

/// Rows by the id that they are about.
async fn by_id(world: &World, sql: &str) -> BTreeMap<Uuid, Value> {
    let id = |row: &Value| row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    world.rows(sql).await.into_iter().map(|row| (id(&row), row)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_the_completion_wins_and_the_latest_schedule_fills_gaps() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "7"]] {
        let world = World::new().await;
        let mut csr = Csr::new();
        let mut events = Vec::new();
        let mut all = Vec::new();
        for order in orders(5) {
            let [session, earlier, participant, volunteer, program] = [(); 5].map(|()| csr.id());
            let told = Told { session, earlier, participant, volunteer, program };
            events.extend([csr.person(earlier), csr.person(participant), csr.person(volunteer)]);
            let tellings = tellings(&mut csr, &told);
            events.extend(order.iter().map(|place| tellings[*place].clone()));
            all.push((told, order));
        }
        world.publish_events(&events).await;
        let summary = world.drain(run);
        assert_eq!((&summary["waiting_total"], &summary["dead_letters"]), (&json!(0), &json!(0)), "{summary}");

        let sessions = "select id, session_type, participant_id, volunteer_id, external_session_id, language_level,
            scheduled_at at time zone 'UTC' as scheduled_at, completed_at at time zone 'UTC' as completed_at,
            duration_minutes, rating::text, feedback_text, program_id from kintell_sessions";
        let sessions = by_id(&world, sessions).await;
        let roles = by_id(&world, "select id, role from users").await;
        let enrolled = by_id(
            &world,
            "select user_id as id, program_type, status, program_id, enrolled_at at time zone 'UTC' as enrolled_at
             from program_enrollments",
        )
        .await;
        assert_eq!(enrolled.len(), all.len(), "only the participant is enrolled, and only in one thing");
        for (told, order) in &all {
            let session = json!({"id": told.session, "session_type": "language", "participant_id": told.participant,
                "volunteer_id": told.volunteer, "external_session_id": "second", "language_level": "C2",
                "scheduled_at": "2026-01-11T09:00:00", "completed_at": "2026-01-11T10:00:00", "duration_minutes": 55,
                "rating": "0.76", "feedback_text": "p", "program_id": told.program});
            assert_eq!(sessions[&told.session], session, "{order:?} {run:?}");
            let role = |person: &Uuid| roles[person]["role"].clone();
            let people = [&told.earlier, &told.participant, &told.volunteer].map(role);
            assert_eq!(people, ["company_user", "participant", "volunteer"], "{order:?} {run:?}");
            let enrolment = json!({"id": told.participant, "program_type": "language", "status": "active",
                "program_id": told.program, "enrolled_at": "2026-01-11T09:00:00"});
            assert_eq!(enrolled[&told.participant], enrolment, "{order:?} {run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_scheduled_anew_for_somebody_else_leaves_nothing_behind() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [session, first, second, volunteer] = [(); 4].map(|()| csr.id());
    world.publish_events(&[csr.person(first), csr.person(second), csr.person(volunteer)]).await;
    world.publish_events(&[csr.scheduled(session, [first, volunteer])]).await;
    all_applied(&world);
    let enrolled = "select user_id, program_type from program_enrollments";
    assert_eq!(world.rows(enrolled).await, [json!({"user_id": first, "program_type": "language"})]);
    let mut anew = csr.scheduled(session, [second, volunteer]);
    anew["data"]["sessionType"] = json!("mentorship");
    world.publish_events(&[anew]).await;
    all_applied(&world);
    assert_eq!(world.rows(enrolled).await, [json!({"user_id": second, "program_type": "mentorship"})]);
    let role = format!("select role from users where id = '{first}'");
    assert_eq!(world.rows(&role).await, [json!({"role": "company_user"})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_cefr_level_reaches_the_column() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people = [csr.id(), csr.id()];
    let mut events = vec![csr.person(people[0]), csr.person(people[1])];
    let levels = [
        (json!("A1"), json!("A1")),
        (json!("b2"), json!("B2")),
        (json!("C3"), json!(null)),
        (json!(" A1"), json!(null)),
        (json!("fluent, or nearly so"), json!(null)),
        (json!(""), json!(null)),
        (json!(null), json!(null)),
    ];
    for (place, (level, _)) in levels.iter().enumerate() {
        let id = csr.id();
        // The even ones were scheduled before, so that both statements are asked.
        if place % 2 == 0 {
            events.push(csr.scheduled(id, people));
        }
        let mut event = csr.completed(id, people);
        event["data"]["languageLevel"] = level.clone();
        events.push(event);
    }
    world.publish_events(&events).await;
    assert_eq!(world.drain(&["--batch", "1"])["applied"], events.len());
    let rows = world.rows("select language_level from kintell_sessions order by completed_at").await;
    let expected: Vec<Value> = levels.into_iter().map(|(_, level)| json!({"language_level": level})).collect();
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_of_a_session_is_the_mean_and_the_participant_is_heard_first() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people = [csr.id(), csr.id()];
    let session = csr.id();
    world.publish_events(&[csr.person(people[0]), csr.person(people[1]), csr.scheduled(session, people)]).await;
    all_applied(&world);
    for (from_role, rating, text, mean, heard) in [
        ("volunteer", 0.5, Some("v"), "0.50", Some("v")),
        ("participant", 0.51, None, "0.51", Some("v")), // 0.505, half up
        ("participant", 1.0, Some("p"), "0.67", Some("p")),
        ("participant", 0.0, Some("q"), "0.50", Some("q")),
        ("volunteer", 0.015, Some("w"), "0.41", Some("q")), // 0.405: no double is that
    ] {
        let mut event = csr.rated(session, from_role, rating);
        event["data"]["feedbackText"] = json!(text);
        world.publish_events(&[event]).await;
        all_applied(&world);
        let rows = world.rows("select rating::text, feedback_text from kintell_sessions").await;
        assert_eq!(rows, [json!({"rating": mean, "feedback_text": heard})]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_waits_for_its_session_and_a_skill_share_is_none() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (people, session) = ([csr.id(), csr.id()], csr.id());
    let share = json!({"sessionId": session, "skillId": 1, "skillName": "x", "teacherId": people[0],
        "learnerId": people[1], "completedAt": "2026-01-05T10:00:00Z", "feedback": {"teacherRating": 0.25}});
    let share = csr.event("buddy.skill_share.completed", share);
    let later = csr.id();
    let ratings = [csr.rated(session, "volunteer", 0.75), csr.rated(later, "volunteer", 0.75)];
    world.publish_events(&[csr.person(people[0]), csr.person(people[1]), share]).await;
    world.publish_events(&ratings).await;
    assert_eq!(world.drain(&[])["waiting"], 2);
    world.publish_events(&[csr.scheduled(later, people)]).await;
    assert_eq!(world.drain(&[])["released"], 1);
    let waits = world.rows("select entity, key from waiting_events").await;
    assert_eq!(waits, [json!({"entity": "session", "key": session})]);
    let rows = world.rows("select session_type, rating::text from kintell_sessions order by 1").await;
    let row = |of: &str, rating: &str| json!({"session_type": of, "rating": rating});
    assert_eq!(rows, [row("language", "0.75"), row("skill_share", "0.25")]);
}
