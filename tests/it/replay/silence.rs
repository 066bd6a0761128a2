//! History is not told: flags and milestones follow, and nobody outside hears of them, unless asked for.

use chrono::SecondsFormat;
use serde_json::json;

use super::text;
use crate::support::{Csr, World, before_it_is_due};

const OUTBOX: &str = "select count(*) from outbox";
const MILESTONE: &str = "select count(*) from journey_milestones where milestone = 'first_language_session'";
const TOLD_OF_IT: &str = "select count(*) from outbox where payload like '%first_language_session%'";

#[tokio::test(flavor = "multi_thread")]
async fn new_history_is_told_only_when_asked_for() {
    let world = World::new().await;
    let mut csr = Csr::new();
    for arguments in [&[][..], &["--tell"]] {
        let [ada, bob, session] = [csr.id(), csr.id(), csr.id()];
        let events = [csr.person(ada), csr.person(bob), csr.completed(session, [ada, bob])];
        let file = world.log_of(&session.to_string(), &events);
        let before = world.number(MILESTONE).await;
        world.replay(&[&[text(&file)], arguments].concat());
        let reached = world.number(MILESTONE).await - before;
        assert!(reached > 0, "they have reached it");
        if arguments.is_empty() {
            assert_eq!(world.number(OUTBOX).await, 0, "nothing is told");
        } else {
            assert_eq!(world.number(TOLD_OF_IT).await, reached, "each is told once, and no earlier one");
        }
        // The stream brings it later: it is no news any more.
        let rows = world.number(OUTBOX).await;
        world.publish_events(&events).await;
        assert_eq!(world.drain(&[])["duplicates"], 3);
        assert_eq!(world.number(OUTBOX).await, rows);
    }
}

/// What waits is released by whoever is there, and told by nobody either.
#[tokio::test(flavor = "multi_thread")]
async fn history_that_waited_is_not_told_when_the_service_releases_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [ada, bob, session, later] = [csr.id(), csr.id(), csr.id(), csr.id()];
    let (child, parents) = (csr.completed(session, [ada, bob]), [csr.person(ada), csr.person(bob)]);
    let file = world.log_of("log", &[child]);
    assert_eq!(world.replay(&[text(&file)])["waiting"], 1);
    let proof = world.prove();
    assert_eq!((&proof["waiting"], &proof["replayed"]), (&json!(0), &json!(1)), "the books are of the stream: {proof}");
    world.publish_events(&parents).await;
    assert_eq!(world.drain(&[])["released"], 1);
    assert!(world.number(MILESTONE).await > 0);
    assert_eq!(world.number(TOLD_OF_IT).await, 0);
    let proof = world.prove();
    assert_eq!(
        (&proof["applied"], &proof["waiting"], &proof["replayed"]),
        (&json!(2), &json!(0), &json!(1)),
        "{proof}"
    );
    // What the stream brings in the same way is told.
    let [eve, dan] = [csr.id(), csr.id()];
    world.publish_events(&[csr.completed(later, [eve, dan])]).await;
    world.drain(&[]);
    world.publish_events(&[csr.person(eve), csr.person(dan)]).await;
    world.drain(&[]);
    assert!(world.number(TOLD_OF_IT).await > 0);
    assert_eq!(world.prove()["applied"], 5);
}

/// A flag's moment has come, and no timer has fired yet: it is told although the replay is the first to see it.
#[tokio::test(flavor = "multi_thread")]
async fn what_time_has_changed_is_told_also_when_a_replay_comes_first() {
    let mut csr = Csr::new();
    let [ada, bob, session] = [csr.id(), csr.id(), csr.id()];
    let told = "select count(*) from outbox where payload like '%language_support_needed%'";
    let world = before_it_is_due(told, |in_a_moment| {
        let due = in_a_moment.to_rfc3339_opts(SecondsFormat::Micros, true);
        let score = json!({"scoreId": csr.id(), "textId": csr.id(), "textType": "checkin_note", "userId": ada,
                           "dimension": "lang_level_proxy", "score": 0.3, "scoredAt": due});
        vec![csr.person(ada), csr.person(bob), csr.event("q2q.outcome.scored", score)]
    })
    .await;
    let file = world.log_of("log", &[csr.completed(session, [ada, bob])]);
    world.reaches("select count(*) from journey_timers where due_at <= now()", |due| due == 1);
    assert_eq!(world.replay(&[text(&file)])["applied"], 1);
    assert_eq!(world.number(told).await, 1, "time has changed it, not history");
    assert_eq!(world.number(TOLD_OF_IT).await, 0, "history has changed this");
    assert!(world.number(MILESTONE).await > 0);
}
