//! The buddy programme's enrolment of both people of a match, as it follows from all their matches.

use serde_json::{Value, json};

use super::{all_applied, same_rows};
use crate::support::{Csr, World};

const ENROLLMENTS: &str = "select status, enrolled_at at time zone 'UTC' as enrolled_at,
    completed_at at time zone 'UTC' as completed_at, program_id, campaign_id
    from program_enrollments where program_type = 'buddy' and source_id is null order by user_id";

/// Matches of one pair, each `(matched, ended and reason)`, give both people this enrolment.
async fn enrolled(name: &str, matches: &[(&str, Option<(&str, &str)>)], expected: [Value; 3]) {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (participant, buddy) = (csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy)];
    for (matched, ended) in matches {
        let id = csr.id();
        let mut created = csr.matched(id, participant, buddy);
        created["data"]["matchedAt"] = json!(format!("{matched}T00:00:00Z"));
        events.push(created);
        if let Some((at, reason)) = ended {
            let mut event = csr.ended(id, participant, buddy, reason);
            event["data"]["endedAt"] = json!(format!("{at}T00:00:00Z"));
            events.push(event);
        }
    }
    world.publish_events(&events).await;
    all_applied(&world);
    let [status, enrolled_at, completed_at] = expected;
    let row = json!({"status": status, "enrolled_at": enrolled_at, "completed_at": completed_at,
        "program_id": null, "campaign_id": null});
    same_rows(name, &world.rows(ENROLLMENTS).await, &[row.clone(), row]);
}

#[tokio::test(flavor = "multi_thread")]
async fn active_while_a_match_is_and_afterwards_completed_or_dropped() {
    let first = || json!("2026-01-01T00:00:00");
    let begun = ("2026-01-01", None);
    let completed = ("2026-01-01", Some(("2026-02-01", "completed")));
    let left = ("2026-01-05", Some(("2026-03-01", "inactivity")));
    enrolled("one active match", &[begun], [json!("active"), first(), json!(null)]).await;
    enrolled("completed", &[completed], [json!("completed"), first(), json!("2026-02-01T00:00:00")]).await;
    enrolled("left", &[left], [json!("dropped"), json!("2026-01-05T00:00:00"), json!(null)]).await;
    enrolled(
        "one completed, one left",
        &[left, completed],
        [json!("completed"), first(), json!("2026-02-01T00:00:00")],
    )
    .await;
    enrolled(
        "one completed, another active",
        &[("2026-01-09", None), completed],
        [json!("active"), first(), json!(null)],
    )
    .await;
    let again = ("2026-04-01", Some(("2026-05-01", "completed")));
    enrolled("completed twice", &[again, completed], [json!("completed"), first(), json!("2026-05-01T00:00:00")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn program_and_campaign_are_those_of_the_earliest_match_that_names_one() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (participant, buddy, program, campaign, other) = (csr.id(), csr.id(), csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy)];
    for (day, named) in [
        ("03", json!({"programId": other, "campaignId": campaign})),
        ("01", json!({})),
        ("02", json!({"programId": program})),
        ("04", json!({"programId": other, "campaignId": other})),
    ] {
        let id = csr.id();
        let mut created = csr.matched(id, participant, buddy);
        created["data"]["matchedAt"] = json!(format!("2026-01-{day}T00:00:00Z"));
        for (field, value) in named.as_object().expect("an object") {
            created["data"][field] = value.clone();
        }
        events.push(created);
    }
    world.publish_events(&events).await;
    all_applied(&world);
    for row in world.rows(ENROLLMENTS).await {
        assert_eq!((&row["program_id"], &row["campaign_id"]), (&json!(program), &json!(campaign)), "{row}");
    }
    assert_eq!(world.number("select count(*) from program_enrollments").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_endings_the_earlier_event_counts() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (id, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy), csr.matched(id, participant, buddy)];
    let early = csr.ended(id, participant, buddy, "completed");
    let late = csr.ended(id, participant, buddy, "violation");
    events.extend([late, early]);
    world.publish_events(&events).await;
    assert_eq!(world.drain(&["--batch", "1"])["applied"], 5);
    same_rows(
        "reasons",
        &world.rows("select ended_reason, status from buddy_matches").await,
        &[json!({"ended_reason": "completed", "status": "ended"})],
    );
    assert_eq!(world.number("select count(*) from program_enrollments where status = 'completed'").await, 2);
}
