//! Poison that only the database finds harms only itself, and what is dead can be looked at, tried again and given up.

mod crowd;
mod history;
mod infrastructure;
mod operators;
mod together;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Csr, World};

/// A rule that only the database knows.
const FORBID: &str = "alter table buddy_events add constraint nowhere check (location <> 'nowhere')";
const ALLOW: &str = "alter table buddy_events drop constraint nowhere";

/// People and a match, applied.
async fn with_a_match(world: &World, csr: &mut Csr) -> Uuid {
    let (match_id, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let events = [csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)];
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["applied"], 3);
    match_id
}

/// An event that no gate and no contract objects to.
fn poison(csr: &mut Csr, match_id: Uuid) -> Value {
    let mut event = csr.logged(match_id);
    event["data"]["location"] = json!("nowhere");
    event
}

/// These poisoned places among 500 events: just they are dead, everything else has its effect.
async fn only_the_poisoned_are_dead(places: &[usize], batch: &str) {
    let world = World::new().await;
    let mut csr = Csr::new();
    let match_id = with_a_match(&world, &mut csr).await;
    world.execute(FORBID).await;
    let event = |place| if places.contains(&place) { poison(&mut csr, match_id) } else { csr.logged(match_id) };
    let events: Vec<Value> = (0..500).map(event).collect();
    world.publish_events(&events).await;
    let summary = world.drain(&["--batch", batch]);
    let expected = json!([500, 500 - places.len(), places.len()]);
    assert_eq!(json!([summary["received"], summary["applied"], summary["dead_letters"]]), expected, "{places:?}");
    let letters = world.dead_letters();
    assert_eq!(letters.len(), places.len());
    for (letter, place) in letters.iter().zip(places) {
        assert_eq!((&letter["reason"], &letter["field"]), (&json!("database"), &Value::Null), "{letter}");
        assert!(letter["message"].as_str().is_some_and(|text| text.contains("23514") && text.contains("nowhere")));
        let known = letters.iter().any(|letter| letter["event_id"] == events[*place]["metadata"]["id"]);
        assert!(known, "{place}");
    }
    let rows = world.number("select count(*) from buddy_events").await;
    assert_eq!(usize::try_from(rows), Ok(500 - places.len()));
    let proof = world.prove();
    assert_eq!((&proof["dead_letters"], &proof["missing"]), (&json!(places.len()), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_database_refuses_is_found_by_halves() {
    only_the_poisoned_are_dead(&[250], "1000").await;
    only_the_poisoned_are_dead(&[0, 499], "1000").await;
    only_the_poisoned_are_dead(&[9, 10, 11, 12], "10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_that_had_to_wait_is_set_aside_when_it_is_released() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.execute(FORBID).await;
    let (match_id, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let mut events: Vec<Value> = (0..20).map(|_| csr.logged(match_id)).collect();
    events[7] = poison(&mut csr, match_id);
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["waiting"], 20);
    world
        .publish_events(&[csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)])
        .await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["released"], &summary["waiting_total"]), (&json!(19), &json!(0)), "{summary}");
    let letters = world.dead_letters();
    assert_eq!((letters.len(), &letters[0]["event_id"]), (1, &events[7]["metadata"]["id"]));
    assert_eq!(world.number("select count(*) from buddy_events").await, 19);
    assert_eq!(world.prove()["dead_letters"], 1);

    world.execute(ALLOW).await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    assert_eq!(world.number("select count(*) from buddy_events").await, 20);
    assert_eq!(world.prove()["dead_letters"], 0);
}
