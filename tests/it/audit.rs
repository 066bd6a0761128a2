//! The audit: what was never handled is found and filled, once; what is lost is named; and a stream that is not the one of
//! the books is not read.

mod broken;
mod restored;

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{BLOCKED, Csr, HANDLED, World, assert_same, eventually};

/// Advisory lock of the one that fills.
const AUDIT_LOCK: i64 = 0x6d69_6c65_0036;

/// A log with waiting events, duplicates and poison, each drained in a record of its own.
fn handled(world: &World) {
    let log = ["--events", "600", "--shuffle", "0.3", "--duplicates", "0.1", "--poison", "0.05"];
    for some in world.lines(&log).chunks(100) {
        world.publish_lines(some);
        world.drain(&["--batch", "100"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_lost_is_found_and_booked_as_it_was() {
    let world = World::new().await;
    handled(&world);
    let (before, tables) = (world.prove(), world.dump().await);
    for lost in ["sequences @> 150::int8", "sequences && '{[1,90),[301,420)}'", "incarnation is not null"] {
        world.execute(&format!("delete from handled_sequences where {lost}")).await;
        let running = world.start(&["--only", "audit"]);
        eventually("it is filled", || (running.metric("milepost_audit_filled_total", "") >= 1.0).then_some(()));
        world.reaches(HANDLED, |handled| handled == before["received"].as_i64().expect("a number"));
        running.kill();
        assert_eq!(world.prove(), before, "{lost}");
    }
    assert_same(&tables, &world.dump().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_acknowledged_is_handled_after_all() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (events, context) = (csr.people(1200), world.jetstream().await);
    world.publish_events(&events).await;
    let stream = context.get_stream("CSR").await.expect("the stream");
    let thief: PullConsumer = stream.get_consumer("milepost").await.expect("the consumer");
    let mut stolen = thief.fetch().max_messages(1100).messages().await.expect("messages");
    while let Some(Ok(message)) = stolen.next().await {
        message.double_ack().await.expect("it is acknowledged");
    }
    let summary = world.drain_all(&["--only", "project,audit"]);
    assert_eq!((&summary["received"], &summary["applied"]), (&1200.into(), &1200.into()), "{summary}");
    assert_eq!(world.prove()["applied"], 1200);
}

/// What a worker has in hand, what waits for a turn and what somebody holds is no gap, however much is acknowledged above.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_to_be_handled_is_never_taken_for_missing() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(30)).await;
    let context = world.jetstream().await;
    let stream = context.get_stream("CSR").await.expect("the stream");
    let holder: PullConsumer = stream.get_consumer("milepost").await.expect("the consumer");
    let mut held = holder.fetch().max_messages(5).messages().await.expect("messages");
    let mut in_hand = Vec::new();
    while let Some(Ok(message)) = held.next().await {
        in_hand.push(message);
    }
    assert_eq!(in_hand.len(), 5);
    let auditor = world.start(&["--only", "audit"]);
    let working = world.start(&["--only", "project", "--workers", "2", "--batch", "5"]);
    world.reaches(HANDLED, |handled| handled == 25);
    let proof = world.prove();
    assert_eq!((&proof["missing"], &proof["pending"]), (&0.into(), &5.into()), "{proof}");
    // And with a worker that stands in the middle of its transaction.
    let mut lock = world.postgres().await;
    sqlx::raw_sql("begin; lock table users in access exclusive mode").execute(&mut lock).await.expect("a lock");
    world.publish_events(&csr.people(30)).await;
    world.reaches(BLOCKED, |blocked| blocked == 2);
    let again = world.start(&["--only", "audit"]); // its first audit is now
    eventually("it has audited", || {
        (again.metric("milepost_audit_last_success_timestamp_seconds", "") > 0.0).then_some(())
    });
    for process in [&auditor, &again] {
        assert_eq!(process.metric("milepost_audit_missing_messages", ""), 0.0);
        assert_eq!(process.metric("milepost_audit_filled_total", ""), 0.0);
    }
    assert_eq!(world.prove()["missing"], 0);
    lock.close().await.expect("the lock is let go");
    for message in in_hand {
        message.ack_with(async_nats::jetstream::AckKind::Nak(None)).await.expect("it is given back");
    }
    world.reaches(HANDLED, |handled| handled == 60);
    drop((auditor, working, again));
    assert_eq!(world.prove()["applied"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_fills_and_the_others_stand_by() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(40)).await;
    world.drain(&[]);
    world.execute("delete from handled_sequences").await;
    let mut other = world.postgres().await;
    sqlx::query("select pg_advisory_lock($1)").bind(AUDIT_LOCK).execute(&mut other).await.expect("the lock");
    // It looks every second, and does not end while something is missing.
    let standing_by = world.start(&["--until-idle", "--only", "audit"]);
    eventually("it sees what is missing", || {
        (standing_by.metric("milepost_audit_missing_messages", "") == 40.0).then_some(())
    });
    let audited = || standing_by.metric("milepost_audit_last_success_timestamp_seconds", "");
    let first = audited();
    eventually("it looks again", || (audited() > first).then_some(()));
    assert_eq!(standing_by.metric("milepost_audit_filled_total", ""), 0.0);
    other.close().await.expect("the other one ends");
    let processes = [(); 2].map(|()| world.start(&["--only", "audit"]));
    world.reaches(HANDLED, |handled| handled == 40);
    let filled: f64 = processes.iter().map(|process| process.metric("milepost_audit_filled_total", "")).sum();
    assert!(filled <= 40.0, "{filled}");
    let all = processes.iter().chain([&standing_by]);
    let filling = all.filter(|process| process.log().contains("messages were never handled: filling")).count();
    assert_eq!(filling, 1);
    drop(processes);
    assert_eq!(standing_by.wait().0, Some(0));
    assert_eq!(world.prove()["received"], 40);
}

/// The books are put back between the look and the record.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_booked_meanwhile_is_not_booked_over() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(40)).await;
    world.drain(&[]);
    let before = world.prove();
    world.execute("create table kept as table handled_sequences; delete from handled_sequences").await;
    let mut other = world.postgres().await;
    let held = "begin; lock table handled_sequences in share row exclusive mode";
    sqlx::raw_sql(held).execute(&mut other).await.expect("the books are held");
    let running = world.start(&["--until-idle", "--only", "audit"]);
    world.reaches(BLOCKED, |blocked| blocked == 1);
    let columns = "stream, incarnation, sequences, applied, duplicates, waiting, unrouted, dead_letters, own";
    let back = format!("insert into handled_sequences ({columns}) select {columns} from kept; commit");
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut other).await.expect("the books are put back");
    assert_eq!(running.wait().0, Some(0));
    assert_eq!(world.prove(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_gone_before_it_was_handled_is_lost_and_named_until_it_is_written_off() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(1)).await;
    world.drain(&[]);
    world.publish_events(&csr.people(9)).await;
    let stream = world.jetstream().await.get_stream("CSR").await.expect("the stream");
    for sequence in [2, 3, 5, 9] {
        stream.delete_message(sequence).await.expect("it is deleted");
    }
    world.drain(&[]);
    // The consumer may count what was acknowledged last a moment later.
    let proof = eventually("it is known to be lost", || {
        let output = world.output(&["prove", "--json"]);
        let proof: Value = serde_json::from_slice(&output.stdout).expect("a proof");
        (output.status.code() == Some(1) && proof["lost"] == 4).then_some(proof)
    });
    assert_eq!(proof["missing"], 4, "{proof}");
    assert_eq!(proof["lost_sequences"], json!([[2, 3], [5, 5], [9, 9]]));
    assert!(proof["problems"].to_string().contains("--write-off"), "{proof}");
    let running = world.start(&[]);
    eventually("the metric says it", || (running.metric("milepost_audit_lost_messages", "") == 4.0).then_some(()));
    running.kill();
    // What was handled before it was deleted is not lost.
    stream.delete_message(4).await.expect("it is deleted");
    world.succeed(&["prove", "--write-off"]);
    let proof = world.prove();
    assert_eq!((&proof["missing"], &proof["lost"], &proof["received"]), (&0.into(), &0.into(), &6.into()), "{proof}");
}
