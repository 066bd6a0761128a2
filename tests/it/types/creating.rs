//! One creating event per entity: a second one under another event id changes nothing, and the row says which it was.

use serde_json::{Value, json};

use super::all_applied;
use crate::support::{Csr, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_creating_event_changes_nothing_and_the_row_names_the_first() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (participant, buddy, matched, session) = (csr.id(), csr.id(), csr.id(), csr.id());
    let people = [participant, buddy];
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    world.publish_events(&[csr.matched(matched, participant, buddy), csr.scheduled(session, people)]).await;
    all_applied(&world);

    let at = csr.tick();
    let feedback =
        json!({"feedbackId": csr.id(), "matchId": matched, "fromRole": "buddy", "rating": 0.5, "submittedAt": at});
    let attended = json!({"eventId": csr.id(), "userId": buddy, "eventTitle": "A walk", "eventType": "social",
        "eventFormat": "hybrid", "attendedAt": at});
    let share = json!({"sessionId": csr.id(), "skillId": 1, "skillName": "x", "teacherId": buddy, "learnerId": participant,
        "completedAt": at, "durationMinutes": 1, "format": "online", "matchId": matched});
    let score = json!({"scoreId": csr.id(), "textId": csr.id(), "textType": "checkin_note", "dimension": "belonging",
        "score": 0.5, "scoredAt": at, "snippets": []});
    let unscheduled = csr.id();
    let cases = [
        (csr.checkin(matched), json!({"mood": "great"}), "buddy_checkins", "created_event"),
        (
            csr.logged(matched),
            json!({"location": "x"}),
            "buddy_events where match_id is not null and event_type <> 'video_call'",
            "created_event",
        ),
        (csr.event("buddy.feedback.submitted", feedback), json!({"rating": 1}), "buddy_feedback", "created_event"),
        (
            csr.event("buddy.event.attended", attended),
            json!({"location": "x"}),
            "buddy_events where user_id is not null",
            "created_event",
        ),
        (
            csr.event("buddy.skill_share.completed", share.clone()),
            json!({"durationMinutes": 2}),
            "buddy_events where event_type = 'video_call'",
            "created_event",
        ),
        (
            csr.event("buddy.skill_share.completed", share),
            json!({"durationMinutes": 3}),
            "kintell_sessions where session_type = 'skill_share'",
            "completed_event",
        ),
        (
            csr.rated(session, "participant", 0.5),
            json!({"rating": 1, "feedbackText": "x"}),
            "kintell_ratings",
            "created_event",
        ),
        (
            csr.completed(session, people),
            json!({"durationMinutes": 1}),
            "kintell_sessions where scheduled_event is not null",
            "completed_event",
        ),
        (
            csr.completed(unscheduled, people),
            json!({"durationMinutes": 1}),
            "kintell_sessions where session_type = 'language' and scheduled_event is null",
            "completed_event",
        ),
        (
            csr.event("q2q.outcome.scored", score),
            json!({"score": 1, "snippets": [{"snippetText": "x", "snippetHash": "a".repeat(64)}]}),
            "outcome_scores",
            "created_event",
        ),
    ];
    let rows = async |table: &str| world.rows(&format!("select * from {table}")).await;
    let mut first_share: Option<Value> = None;
    for (first, changed, table, column) in cases {
        world.publish_events(std::slice::from_ref(&first)).await;
        all_applied(&world);
        let before = rows(table).await;
        assert_eq!(before.len(), 1, "{table}");
        // Of the two tellings of the skill share only the first one made anything.
        let is_share = first["type"] == "buddy.skill_share.completed";
        let creating = if is_share { first_share.get_or_insert(first.clone()) } else { &first };
        assert_eq!(before[0][column], creating["metadata"]["id"], "{table}");

        let mut second = first.clone();
        second["metadata"]["id"] = json!(csr.id());
        for (field, value) in changed.as_object().expect("an object") {
            second["data"][field] = value.clone();
        }
        let ratings = rows("kintell_sessions where rating is not null").await;
        world.publish_events(&[second]).await;
        all_applied(&world);
        assert_eq!(rows(table).await, before, "{table}");
        assert_eq!(rows("kintell_sessions where rating is not null").await, ratings, "{table}");
    }
    assert_eq!(world.number("select count(*) from evidence_snippets").await, 0);
    world.prove();
}
