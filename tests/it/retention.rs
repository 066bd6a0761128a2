//! Retention: claims shrink to ids, months go to files, and nothing that was taken is taken again for it.

mod archive;
mod refused;

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{BLOCKED, Csr, World, assert_same, eventually};

const AGED: &str = "update event_deduplication set processed_at = now() - interval '100 days'";

/// A stream folder that keeps claims for a while.
async fn pruning() -> World {
    World::with_setting("# claims = \"90 days\"", "claims = \"90 days\"").await
}

/// The same event in the three envelopes, spelled differently.
fn spellings(event: &Value) -> [Value; 3] {
    let (of, data) = (&event["metadata"], &event["data"]);
    let upper = of["id"].as_str().expect("an id").to_uppercase();
    [
        event.clone(),
        json!({"id": upper, "version": "v1", "timestamp": of["timestamp"], "type": event["type"], "data": data}),
        json!({"specversion": "1.0", "id": of["id"], "source": "elsewhere", "type": event["type"],
               "time": of["timestamp"], "data": data, "dataversion": "v1"}),
    ]
}

/// The same id at another time, months away and so in another partition, in the three envelopes.
fn at_another_time(event: &Value) -> [Value; 3] {
    let mut other = event.clone();
    other["metadata"]["timestamp"] = "2026-04-01T00:00:00Z".into();
    spellings(&other)
}

/// Sends everything again, in every spelling and at other times; nothing but the books may change by it.
async fn again_changes_nothing(world: &World, events: &[Value]) {
    let stored = "select count(*) from event_log";
    let (before, count) = (world.dump().await, world.number(stored).await);
    for round in
        [events.iter().flat_map(at_another_time).collect::<Vec<_>>(), events.iter().flat_map(spellings).collect()]
    {
        world.publish_events(&round).await;
        let first = world.drain(&["--batch", "50"]);
        assert_eq!((&first["applied"], &first["waiting"]), (&0.into(), &0.into()), "{first}");
        // The verdict is the same a second time: the claim that was made meanwhile is that of the first event.
        world.publish_events(&round).await;
        let second = world.drain(&[]);
        assert_eq!((&second["duplicates"], &second["dead_letters"]), (&first["duplicates"], &first["dead_letters"]));
    }
    assert_eq!(world.number(stored).await, count);
    let conflicts = world.dead_letters();
    assert_eq!(conflicts.len(), events.len() * 3);
    assert!(conflicts.iter().all(|letter| letter["reason"] == "id_conflict"), "{conflicts:?}");
    let without = |mut dump: std::collections::BTreeMap<String, Vec<String>>| {
        dump.retain(|table, _| table != "event_deduplication" && table != "dead_letters");
        dump
    };
    assert_same(&without(before), &without(world.dump().await));
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_replayed_after_its_claims_were_pruned_changes_nothing() {
    let world = pruning().await;
    let mut csr = Csr::new();
    let [one, two, matched] = [csr.id(), csr.id(), csr.id()];
    let events = [csr.person(one), csr.person(two), csr.matched(matched, one, two), csr.checkin(matched)];
    world.publish_events(&events).await;
    world.drain(&[]);
    world.execute(AGED).await;
    assert!(world.succeed(&["tidy", "--dry-run"]).starts_with("4 claims"));
    assert_eq!(world.number("select count(*) from event_ids").await, 0);
    assert!(world.succeed(&["tidy"]).starts_with("pruned 4 claims"));
    assert_eq!(world.number("select count(*) from event_deduplication").await, 0);
    again_changes_nothing(&world, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_are_needed_or_young_are_not_pruned() {
    let world = pruning().await;
    let mut csr = Csr::new();
    let nobody = csr.id();
    let mut dead = csr.checkin(nobody);
    dead["data"]["checkinDate"] = json!(7);
    let waiting = csr.checkin(nobody);
    world.publish_events(&[csr.person(csr.company), dead, waiting]).await;
    world.drain(&[]);
    world.succeed(&["tidy"]);
    assert_eq!(world.number("select count(*) from event_ids").await, 0, "they are young");
    world.execute(AGED).await;
    assert!(world.succeed(&["tidy", "--dry-run"]).starts_with("1 claims"));
    let restricted = world.as_service().await;
    let tidied = world.milepost(&["tidy"]).env("DATABASE_URL", &restricted).output().expect("it runs");
    assert!(tidied.status.success(), "{}", String::from_utf8_lossy(&tidied.stderr));
    let mut service = sqlx::PgConnection::connect(&restricted).await.expect("the role may connect");
    for sql in
        ["delete from event_deduplication", "insert into event_ids values (gen_random_uuid())", "delete from event_ids"]
    {
        assert!(sqlx::query(sql).execute(&mut service).await.is_err(), "{sql}");
    }
    let left = world.rows("select event_type, success from event_deduplication order by success").await;
    let checkin = "buddy.checkin.completed";
    assert_eq!(
        left,
        [json!({"event_type": checkin, "success": false}), json!({"event_type": checkin, "success": true})]
    );
    // Not even by hand, and nothing of the last day, whatever the function is called with.
    let sql = "select event_deduplication_prune('milepost', now(), '-infinity', gen_random_uuid(), 10)";
    assert!(sqlx::query(sql).execute(&mut world.postgres().await).await.is_err());
}

/// The claim is taken away between the moment in which a batch looks for it and the one in which it makes its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_pruned_while_its_event_comes_again_is_missed_by_nobody() {
    let world = pruning().await;
    let mut csr = Csr::new();
    let events = [csr.person(csr.company)];
    world.publish_events(&events).await;
    world.drain(&[]);
    world.execute(AGED).await;
    let mut pruner = world.postgres().await;
    let mut pruner = pruner.begin().await.expect("a transaction");
    let sql = "select pruned from event_deduplication_prune(
                   'milepost', now() - interval '90 days', '-infinity', '00000000-0000-0000-0000-000000000000', 10)";
    let pruned: i64 = sqlx::query_scalar(sql).fetch_one(&mut *pruner).await.expect("it prunes");
    assert_eq!(pruned, 1);
    let running = world.start(&["--only", "project"]);
    world.publish_events(&at_another_time(&events[0])).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    pruner.commit().await.expect("committed");
    world.reaches("select coalesce(sum(count), 0) from dead_letters", |dead| dead == 3);
    assert_eq!(world.number("select count(*) from event_log").await, 1);
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_that_is_killed_in_the_middle_loses_no_id_and_goes_on() {
    let world = pruning().await;
    world
        .execute(
            "insert into event_deduplication (event_id, event_type, consumer_id, processed_at, content_hash)
             select gen_random_uuid()::text, 'a.b.c', 'milepost', now() - interval '200 days' + number * interval '1 second',
                 gen_random_uuid()
             from generate_series(1, 2500) as number",
        )
        .await;
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    let sql = "select id from event_deduplication order by processed_at offset 1500 limit 1 for update";
    sqlx::query(sql).execute(&mut *held).await.expect("a claim is held");
    let mut tidy = world.milepost(&["tidy"]).spawn().expect("it starts");
    world.reaches(BLOCKED, |blocked| blocked == 1);
    tidy.kill().expect("it can be killed");
    tidy.wait().expect("it has ended");
    held.rollback().await.expect("the claim is let go");
    // What it was at is one statement, which may take place although nobody hears of it any more.
    let sessions =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'milepost'";
    world.reaches(sessions, |sessions| sessions == 0);
    let both = "select (select count(*) from event_ids) + (select count(*) from event_deduplication)";
    assert_eq!(world.number(both).await, 2500);
    let before = world.number("select count(*) from event_ids").await;
    assert!(before == 1000 || before == 2000, "whole batches: {before}");
    let running = world.start(&[]); // the service prunes by itself
    world.reaches("select count(*) from event_ids", |ids| ids == 2500);
    let pruned = || running.metric("milepost_retention_pruned_total", "") as i64;
    eventually("the metric says it", || (pruned() == 2500 - before).then_some(()));
    running.kill();
    assert_eq!(world.number("select count(*) from event_deduplication").await, 0);
}
