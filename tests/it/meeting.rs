//! A child and its parent that are committed at the same moment, by two workers: the child does not wait for ever.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use sqlx::Connection as _;

use crate::support::{BLOCKED, Csr, World, chance, seeds};

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_committed_while_its_child_begins_to_wait_releases_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    world.drain(&[]);
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    world.pulls(2);
    // The child's transaction has not found its match, and stands before writing down that it waits.
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table waiting_events in share mode").execute(&mut *held).await.expect("a lock");
    world.publish_events(&[csr.checkin(matched)]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    world.publish_events(&[csr.matched(matched, participant, buddy)]).await;
    world.reaches("select count(*) from buddy_matches", |matches| matches == 1);
    assert_eq!(world.number("select count(*) from event_log where event_type like '%checkin%'").await, 0);
    held.rollback().await.expect("the lock is let go");
    world.reaches("select count(*) from buddy_checkins", |checkins| checkins == 1);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    running.kill();
    assert_eq!(world.prove()["applied"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_committed_while_its_parent_is_about_to_be_is_released() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (matched, participant, buddy) = (csr.id(), csr.id(), csr.id());
    world.publish_events(&[csr.person(participant), csr.person(buddy)]).await;
    world.drain(&[]);
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    world.pulls(2);
    // The parent has made its match, and stands before deriving from it.
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("select from users for no key update").execute(&mut *held).await.expect("locks");
    world.publish_events(&[csr.matched(matched, participant, buddy)]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    world.publish_events(&[csr.checkin(matched)]).await;
    world.reaches("select count(*) from waiting_events", |waiting| waiting == 1);
    assert_eq!(world.number("select count(*) from buddy_matches").await, 0);
    held.rollback().await.expect("the locks are let go");
    world.reaches("select count(*) from buddy_checkins", |checkins| checkins == 1);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    running.kill();
    assert_eq!(world.prove()["applied"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_pairs_that_meet_in_four_workers_all_end_up_projected() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::new().await;
    let mut csr = Csr::new();
    let people: Vec<_> = (0..20).map(|_| csr.id()).collect();
    world.publish_events(&people.iter().map(|person| csr.person(*person)).collect::<Vec<_>>()).await;
    let running = world.start(&["--only", "project", "--workers", "4", "--batch", "2"]);
    world.pulls(4);
    for _ in 0..6 {
        let mut events = Vec::new();
        for _ in 0..50 {
            let (matched, first) = (csr.id(), chance.random_range(0..10));
            let mut pair = [csr.matched(matched, people[first], people[first + 10]), csr.checkin(matched)];
            pair.shuffle(&mut chance);
            events.extend(pair);
        }
        world.publish_events(&events).await;
    }
    world.reaches("select count(*) from buddy_checkins", |checkins| checkins == 300);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    let at_once = running.metric("milepost_events_total", "result=\"released\"");
    assert!(at_once > 0.0, "some children were there before their parents");
    running.kill();
    assert_eq!(world.prove()["applied"], 620);
}
