//! Skill shares as sessions: ratings, feedback, and when they are a video call too.

use serde_json::{Value, json};

use super::all_applied;
use crate::support::{Csr, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_is_the_mean_of_those_given_and_the_learner_is_heard_first() {
    let cases = [
        (json!({"teacherRating": 0.8, "learnerRating": 0.8}), json!("0.80"), json!(null)),
        (json!({"teacherRating": 0.5, "learnerRating": 0.51}), json!("0.51"), json!(null)), // half up
        (json!({"teacherRating": 0.1, "learnerRating": 0.25}), json!("0.18"), json!(null)), // 0.175: no double is that
        (json!({"teacherRating": 0.005}), json!("0.01"), json!(null)),
        (json!({"learnerRating": 0.994}), json!("0.99"), json!(null)),
        (json!({"teacherRating": 0, "learnerRating": null}), json!("0.00"), json!(null)),
        (json!({"teacherRating": 1, "learnerRating": 1}), json!("1.00"), json!(null)),
        (json!({"teacherComment": "t", "learnerComment": "l"}), json!(null), json!("l")),
        (json!({"teacherComment": "t"}), json!(null), json!("t")),
        (json!({}), json!(null), json!(null)),
        (json!(null), json!(null), json!(null)),
    ];
    let world = World::new().await;
    let mut csr = Csr::new();
    let (teacher, learner) = (csr.id(), csr.id());
    let mut events = vec![csr.person(teacher), csr.person(learner)];
    for (feedback, ..) in &cases {
        events.push(share(&mut csr, [teacher, learner], &json!({"feedback": feedback})));
    }
    world.publish_events(&events).await;
    all_applied(&world);
    let sql = "select s.rating::text as rating, s.feedback_text, e.payload -> 'data' -> 'feedback' as feedback
               from kintell_sessions s join event_log e on e.payload #>> '{data,sessionId}' = s.id::text
               order by e.stream_sequence";
    let rows = world.rows(sql).await;
    assert_eq!(rows.len(), cases.len());
    for (row, (feedback, rating, text)) in rows.iter().zip(&cases) {
        assert_eq!((&row["rating"], &row["feedback_text"]), (rating, text), "{feedback}");
    }
}

fn share(csr: &mut Csr, [teacher, learner]: [uuid::Uuid; 2], more: &Value) -> Value {
    let mut data = json!({"sessionId": csr.id(), "skillId": 1, "skillName": "x", "teacherId": teacher,
        "learnerId": learner, "completedAt": "2026-01-05T10:00:00Z"});
    for (field, value) in more.as_object().expect("an object") {
        data[field] = value.clone();
    }
    csr.event("buddy.skill_share.completed", data)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_online_one_within_a_match_is_a_video_call_and_waits_for_the_match() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (teacher, learner, nowhere) = (csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(teacher), csr.person(learner)];
    for more in [
        json!({"format": "online"}),
        json!({"format": "hybrid", "matchId": nowhere}),
        json!({"format": null, "matchId": nowhere}),
        json!({"format": "online", "matchId": nowhere}),
    ] {
        events.push(share(&mut csr, [teacher, learner], &more));
    }
    world.publish_events(&events).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["waiting"]), (&json!(5), &json!(1)), "{summary}");
    assert_eq!(world.number("select count(*) from buddy_events").await, 0);
    world.publish_events(&[csr.matched(nowhere, learner, teacher)]).await;
    assert_eq!(world.drain(&[])["released"], 1);
    assert_eq!(world.number("select count(*) from buddy_events where event_type = 'video_call'").await, 1);
    assert_eq!(world.number("select count(*) from kintell_sessions").await, 4);
    let roles = world.rows("select role from users order by role").await;
    assert_eq!(roles, [json!({"role": "participant"}), json!({"role": "volunteer"})]);
}
