//! Changes are told to the outside: what, under which names, once, and when NATS is there again.

use chrono::TimeDelta;
use serde_json::json;

use super::life::{Life, ago, now, reached};
use super::told::{self, MILESTONE, PROFILE, Told, UNPUBLISHED, all_told_once};
use crate::support::World;

fn milestones<'t>(told: &'t [Told], person: &uuid::Uuid, name: &str) -> Vec<&'t Told> {
    let is_it = |one: &&Told| {
        let data = &one.document["data"];
        one.subject == MILESTONE && data["milestone"] == name && data["userId"] == person.to_string()
    };
    told.iter().filter(is_it).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_told_once_and_comes_back_without_effect() {
    let world = World::new().await;
    let mut life = Life::new();
    let begin = ago(3.0);
    life.matched(begin).logged(ago(2.0)).score(0.3, ago(1.0));
    world.publish_events(&life.take()).await;
    let summary = world.drain_all(&[]);
    let told = all_told_once(&world).await;
    assert_eq!(told.iter().filter(|one| one.subject == MILESTONE).count(), 2, "the first match of each: {told:#?}");
    assert!(told.iter().filter(|one| one.subject == PROFILE).count() >= 2, "{told:#?}");
    assert_eq!((&summary["own"], &summary["received"]), (&json!(told.len()), &json!(told.len() + 5)), "{summary}");
    for one in &told {
        assert_eq!(one.document["metadata"]["source"], "milepost");
        assert_eq!(one.document["type"], one.subject.as_str());
    }
    let (before, rows) = (world.dump().await, world.number("select count(*) from outbox").await);
    let summary = world.drain_all(&[]);
    assert_eq!(summary["received"], 0, "what came back changed nothing: {summary}");
    assert_eq!(world.number("select count(*) from outbox").await, rows);
    crate::support::assert_same(&before, &world.dump().await);
    let proof = world.prove();
    assert_eq!((&proof["own"], &proof["applied"]), (&json!(told.len()), &json!(5)), "{proof}");
    // Somebody else's event of that type is none of ours, and is as its contract has it: so are ours.
    let mut foreign = told[0].document.clone();
    (foreign["id"], foreign["metadata"]["source"]) = (json!(uuid::Uuid::new_v4()), json!("elsewhere"));
    world.publish_events(&[foreign]).await;
    assert_eq!(world.drain_all(&[])["applied"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn milestones_have_the_names_that_consumers_know_and_are_corrected_when_they_move() {
    let world = World::new().await;
    let mut life = Life::new();
    let (first, earlier) = (ago(30.0), ago(200.0));
    life.matched(first);
    for day in 1..=10 {
        life.logged(ago(f64::from(day)));
    }
    world.publish_events(&life.take()).await;
    world.drain_all(&[]);
    life.matched = uuid::Uuid::new_v4();
    life.matched(earlier).logged(ago(20.0));
    world.publish_events(&life.take()).await;
    world.drain_all(&[]);
    life.judge(&world).await;
    let told = all_told_once(&world).await;
    for person in [life.ada, life.bob] {
        for (name, is_extended) in [("buddy_matched", false), ("buddy_10_events", true)] {
            let [one, two] = milestones(&told, &person, name)[..] else {
                panic!("{name} is told twice: {told:#?}");
            };
            assert_eq!(one.document["metadata"].get("corrects"), None);
            assert_eq!(two.document["metadata"]["corrects"], json!(one.id));
            for metadata in [&one.document["metadata"], &two.document["metadata"]] {
                assert_eq!(metadata.get("extended"), is_extended.then_some(&json!(true)));
            }
        }
        let moved = milestones(&told, &person, "buddy_matched")[1].document["data"]["reachedAt"].clone();
        assert_eq!(moved.as_str().expect("a time").parse().ok(), reached(&world, person, "first_buddy_match").await);
        assert!(milestones(&told, &person, "first_buddy_match").is_empty(), "its own name is not used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_nats_is_away_is_told_later_and_readiness_says_so() {
    let mut world = World::new().await;
    let running = world.start(&[]);
    let mut life = Life::new();
    let due = now() + TimeDelta::seconds(20);
    life.score(0.3, due).course("in_progress", ago(1.0));
    world.publish_events(&life.take()).await;
    world.reaches("select count(*) from event_log where event_type like 'orchestration.%'", |own| own == 1);
    running.readiness(200);
    world.nats.kill();
    world.reaches(UNPUBLISHED, |unpublished| unpublished == 1);
    let complaint = crate::support::eventually("a complaint about the outbox", || {
        Some(running.get("/readyz").1).filter(|said| said.contains("outbox"))
    });
    eprintln!("{complaint}");
    world.nats.start_again();
    world.reaches(UNPUBLISHED, |unpublished| unpublished == 0);
    running.readiness(200);
    world.reaches("select count(*) from event_log where event_type like 'orchestration.%'", |own| own == 2);
    running.kill();
    life.judge(&world).await;
    all_told_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_of_long_ago_is_looked_up_and_not_repeated_blindly() {
    let world = World::new().await;
    let mut life = Life::new();
    life.matched(ago(3.0)).score(0.3, ago(1.0));
    world.publish_events(&life.take()).await;
    // Set out for, but it never arrived: nothing of it is in the stream, and the stream is drained.
    world.drain(&[]);
    world.execute("update outbox set attempted_at = now() - interval '1 hour'").await;
    assert!(told::all(&world).await.is_empty());
    world.drain_all(&["--only", "outbox,project"]);
    let told = all_told_once(&world).await;
    assert!(told.len() >= 4, "{told:#?}");
    // It arrived and came back; only the mark is missing.
    world.execute("update outbox set attempted_at = now() - interval '1 hour', published_at = null").await;
    world.drain_all(&["--only", "outbox"]);
    assert_eq!(all_told_once(&world).await.len(), told.len());
    assert_eq!(world.drain_all(&[])["received"], 0);
}
