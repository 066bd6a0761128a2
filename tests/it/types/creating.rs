//! One creating event per entity: a second one under another event id changes nothing, and the row says which it was.

use serde_json::{Value, json};
use uuid::Uuid;

use super::all_applied;
use crate::support::{Csr, World};

/// A creating event, what its second telling says otherwise, and the row that it makes with the column that names it.
#[derive(Clone)]
struct Case {
    first: Value,
    otherwise: Value,
    row: &'static str,
    column: &'static str,
}

const fn case(first: Value, otherwise: Value, row: &'static str, column: &'static str) -> Case {
    Case { first, otherwise, row, column }
}

/// What a match brings about.
fn of_a_match(csr: &mut Csr, [participant, buddy]: [Uuid; 2], matched: Uuid) -> Vec<Case> {
    let at = csr.tick();
    let feedback =
        json!({"feedbackId": csr.id(), "matchId": matched, "fromRole": "buddy", "rating": 0.5, "submittedAt": at});
    let attended = json!({"eventId": csr.id(), "userId": buddy, "eventTitle": "A walk", "eventType": "social",
        "eventFormat": "hybrid", "attendedAt": at});
    let mut share = |more: Value| {
        let mut data = json!({"sessionId": csr.id(), "skillId": 1, "skillName": "x", "teacherId": buddy,
            "learnerId": participant, "completedAt": at, "durationMinutes": 1});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        csr.event("buddy.skill_share.completed", data)
    };
    let (online, live) = (share(json!({"matchId": matched, "format": "online"})), share(json!({"skillName": "live"})));
    let place = || json!({"location": "x"});
    let longer = || json!({"durationMinutes": 2});
    let event = "created_event";
    vec![
        case(csr.checkin(matched), json!({"mood": "great"}), "buddy_checkins", event),
        case(csr.logged(matched), place(), "buddy_events where event_type = 'hangout'", event),
        case(csr.event("buddy.feedback.submitted", feedback), json!({"rating": 1}), "buddy_feedback", event),
        case(csr.event("buddy.event.attended", attended), place(), "buddy_events where user_id is not null", event),
        case(online, longer(), "buddy_events where event_type = 'video_call'", event),
        case(live, longer(), "kintell_sessions where metadata ->> 'skill_name' = 'live'", "completed_event"),
    ]
}

/// What a session brings about, and a score.
fn of_a_session(csr: &mut Csr, people: [Uuid; 2], session: Uuid) -> Vec<Case> {
    let at = csr.tick();
    let score = json!({"scoreId": csr.id(), "textId": csr.id(), "textType": "checkin_note", "dimension": "belonging",
        "score": 0.5, "scoredAt": at, "snippets": []});
    let snippets = json!([{"snippetText": "x", "snippetHash": "a".repeat(64)}]);
    let unscheduled = csr.id();
    let other = || json!({"durationMinutes": 1, "participantId": people[1]});
    vec![
        case(
            csr.rated(session, "participant", 0.5),
            json!({"rating": 1, "feedbackText": "x"}),
            "kintell_ratings join kintell_sessions on kintell_sessions.id = session_id",
            "created_event",
        ),
        case(
            csr.completed(session, people),
            other(),
            "kintell_sessions where scheduled_event is not null",
            "completed_event",
        ),
        case(
            csr.completed(unscheduled, people),
            other(),
            "kintell_sessions where session_type = 'language' and scheduled_event is null",
            "completed_event",
        ),
        case(
            csr.event("q2q.outcome.scored", score),
            json!({"score": 1, "snippets": snippets}),
            "outcome_scores",
            "created_event",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_creating_event_changes_nothing_and_the_row_names_the_first() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let ([participant, buddy], matched, session) = ([csr.id(), csr.id()], csr.id(), csr.id());
    let people = [participant, buddy];
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    world.publish_events(&[csr.matched(matched, participant, buddy), csr.scheduled(session, people)]).await;
    all_applied(&world);

    let cases = [of_a_match(&mut csr, people, matched), of_a_session(&mut csr, people, session)].concat();
    for Case { first, otherwise, row, column } in cases {
        let rows = format!("select * from {row}");
        world.publish_events(std::slice::from_ref(&first)).await;
        all_applied(&world);
        let before = world.rows(&rows).await;
        assert_eq!(before.len(), 1, "{row}");
        assert_eq!(before[0][column], first["metadata"]["id"], "{row}");

        let mut second = first.clone();
        second["metadata"]["id"] = json!(csr.id());
        for (field, value) in otherwise.as_object().expect("an object") {
            second["data"][field] = value.clone();
        }
        world.publish_events(&[second]).await;
        all_applied(&world);
        assert_eq!(world.rows(&rows).await, before, "{row}");
    }
    assert_eq!(world.number("select count(*) from evidence_snippets").await, 0);
    world.prove();
}
