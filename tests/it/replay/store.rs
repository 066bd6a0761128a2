//! The event store once more: what was stored without effect has it, once there is a contract.

use std::path::PathBuf;

use serde_json::json;
use sqlx::Connection as _;

use super::text;
use crate::support::{Csr, World, assert_same};

/// A world whose folder lacks the contract of check-ins, with the files to put back.
pub(crate) async fn without_checkins() -> (World, Vec<(PathBuf, String)>) {
    let world = World::with_setting("replicas = 1", "replicas = 1 ").await;
    let folder = world.streams.clone().expect("a folder of its own");
    // The rules and the imports speak of that type.
    std::fs::remove_file(folder.join("journey.toml")).expect("the rules are taken away");
    std::fs::remove_dir_all(folder.join("imports")).expect("the imports are taken away");
    let files = ["schema.json", "sql"].map(|ending| folder.join(format!("events/buddy.checkin.completed.{ending}")));
    let texts = files.map(|file| {
        let text = std::fs::read_to_string(&file).expect("a file of the domain");
        std::fs::remove_file(&file).expect("the contract is taken away");
        (file, text)
    });
    (world, texts.into())
}

pub(crate) fn put_back(files: &[(PathBuf, String)]) {
    for (file, text) in files {
        std::fs::write(file, text).expect("the contract is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_came_before_their_contract_have_their_effect_once() {
    let (world, files) = without_checkins().await;
    let mut csr = Csr::new();
    let [ada, bob, matched, nobody] = [csr.id(), csr.id(), csr.id(), csr.id()];
    let mut broken = csr.checkin(matched);
    broken["data"]["mood"] = json!("colourful");
    let mut refused = csr.checkin(matched);
    refused["data"]["mood"] = json!("difficult");
    let parents = [csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)];
    let checkins = [csr.checkin(matched), csr.checkin(nobody), broken, refused];
    world.publish_events(&parents).await;
    world.publish_events(&checkins).await;
    let elsewhere = world.log_of("elsewhere", &[csr.checkin(matched), csr.checkin(nobody)]);
    assert_eq!(world.drain(&[])["unrouted"], 4);
    assert_eq!(world.replay(&[text(&elsewhere)])["unrouted"], 2);
    let before = world.dump().await;
    let summary = world.replay(&["log"]);
    assert_eq!((&summary["unrouted"], &summary["duplicates"]), (&json!(6), &json!(3)), "{summary}");
    assert_same(&before, &world.dump().await);

    put_back(&files);
    world.execute("alter table buddy_checkins add constraint never check (mood <> 'difficult')").await;
    // As the service's role may: no more is needed.
    let restricted = world.as_service().await;
    let dry = world.replay(&["log", "--dry-run"]);
    assert_eq!(dry["types"]["buddy.checkin.completed"], json!({"applied": 2, "waiting": 2, "refused": 2}), "{dry}");
    assert_same(&before, &world.dump().await);
    let mut command = world.milepost(&["replay", "--from", "log", "--type", "buddy.*"]);
    let output = command.env("DATABASE_URL", &restricted).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    for (name, count) in [("applied", 2), ("waiting", 2), ("refused", 2), ("duplicates", 1), ("skipped", 2)] {
        assert_eq!(summary[name], count, "{name} of {summary}");
    }
    assert!(said.contains("/data/mood") && said.contains("23514"), "what is refused is named: {said}");
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 2);
    let proof = world.prove();
    for (name, count) in [("applied", 4), ("waiting", 1), ("unrouted", 2), ("replayed", 2)] {
        assert_eq!(proof[name], count, "{name} of {proof}");
    }
    let after = world.dump().await;
    let again = world.replay(&["log"]);
    assert_eq!((&again["applied"], &again["refused"]), (&json!(0), &json!(2)), "{again}");
    assert_same(&after, &world.dump().await);
    // Their records say how they were booked at first; that they were booked over since stands elsewhere.
    world.execute("delete from handled_sequences where incarnation is not null").await;
    world.drain_all(&["--only", "audit"]);
    assert_eq!(world.prove(), proof);
}

/// Its claim is gone when it waits at last, and is refused when it is released.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_withdrawn_after_its_claim_was_pruned_can_be_redriven() {
    let (world, files) = without_checkins().await;
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    world.publish_events(&[csr.person(ada), csr.person(bob), csr.checkin(matched)]).await;
    assert_eq!(world.drain(&[])["unrouted"], 1);
    world.execute("update event_deduplication set processed_at = now() - interval '100 days'").await;
    let prune = "select event_deduplication_prune('milepost', now() - interval '90 days', '-infinity',
                     '00000000-0000-0000-0000-000000000000', 10)";
    world.execute(prune).await;
    put_back(&files);
    assert_eq!(world.replay(&["log"])["waiting"], 1);
    world.execute("alter table buddy_checkins add constraint never check (false)").await;
    world.publish_events(&[csr.matched(matched, ada, bob)]).await;
    world.drain(&[]);
    assert_eq!(world.dead_letters().len(), 1);
    assert_eq!(world.prove()["dead_letters"], 1);
    world.execute("alter table buddy_checkins drop constraint never").await;
    world.succeed(&["dead-letters", "redrive", "--all"]);
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 1);
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["duplicates"]), (&json!(4), &json!(0)), "{proof}");
}

/// Two that pick up the same events, one of them held up by a lock: the second finds them done.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_the_same_events_pick_each_up_once() {
    let (world, files) = without_checkins().await;
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    let mut events = vec![csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)];
    events.extend((0..50).map(|_| csr.checkin(matched)));
    world.publish_events(&events).await;
    assert_eq!(world.drain(&[])["unrouted"], 50);
    put_back(&files);
    // In a mode that takes no transaction id: they wait for what may still be stored before they begin.
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table buddy_checkins in share mode").execute(&mut *held).await.expect("a lock");
    let replays: Vec<_> = ["*", "buddy.*"]
        .into_iter()
        .map(|types| {
            let mut command = world.milepost(&["replay", "--from", "log", "--type", types]);
            command.stdout(std::process::Stdio::piped()).spawn().expect("it starts")
        })
        .collect();
    world.reaches(crate::support::BLOCKED, |blocked| blocked == 2);
    held.rollback().await.expect("the lock is let go");
    let applied: u64 = replays
        .into_iter()
        .map(|replay| {
            let output = replay.wait_with_output().expect("it ends");
            let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
            summary["applied"].as_u64().expect("a number")
        })
        .sum();
    assert_eq!(applied, 50);
    assert_eq!(world.prove()["applied"], 53);
}
