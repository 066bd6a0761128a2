//! `prove`: every message of the stream is accounted for, and what is missing is named.

use std::process::{Command, Output};

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::support::{BLOCKED, Csr, HANDLED, World, eventually};

/// Exit code and proof.
fn proof(world: &World) -> (Option<i32>, Value) {
    let output = world.output(&["prove", "--json"]);
    let proof = serde_json::from_slice(&output.stdout).expect("a proof");
    (output.status.code(), proof)
}

/// Exit code and what was said on stderr.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What the log is about does not matter here.
async fn publish(world: &World, csr: &mut Csr, count: usize) -> Vec<Value> {
    let people = csr.people(count);
    world.publish_events(&people).await;
    people
}

/// Waits until NATS has delivered so many times.
#[track_caller]
fn delivered(world: &World, times: u64) {
    block_in_place(|| {
        eventually(&format!("{times} deliveries"), || {
            (Handle::current().block_on(world.consumer()).delivered.consumer_sequence >= times).then_some(())
        });
    });
}

/// A batch that waits for another one waits longer than the stream does: its messages come again, and into it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_delivered_twice_into_one_batch_is_booked_once() {
    let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
    let mut csr = Csr::new();
    let mut holder = world.postgres().await;
    sqlx::raw_sql("begin; lock table users in access exclusive mode").execute(&mut holder).await.expect("a lock");
    let running = world.start(&["--only", "project", "--workers", "1", "--batch", "100"]);
    // One batch is in hand, one waits for it, one waits to wait; what comes then is not in a batch yet.
    for number in 1..=3 {
        publish(&world, &mut csr, 1).await;
        delivered(&world, number);
    }
    publish(&world, &mut csr, 50).await;
    // It comes again as long as there is room in what was asked for.
    delivered(&world, 95);
    holder.close().await.expect("the lock is let go");
    world.reaches(HANDLED, |handled| handled == 53);
    running.kill();
    let (code, proof) = proof(&world);
    assert_eq!((code, &proof["applied"], &proof["duplicates"]), (Some(0), &53.into(), &0.into()), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_adds_up_before_during_and_after() {
    let world = World::new().await;
    let file = world.folder.path().join("log.ndjson");
    std::fs::write(&file, world.succeed(&["generate", "--events", "5000", "--shuffle", "0.1"])).expect("a log");
    let mut csr = Csr::new();
    publish(&world, &mut csr, 100).await;
    let (code, before) = proof(&world);
    assert_eq!((code, &before["pending"], &before["missing"]), (Some(0), &100.into(), &0.into()), "{before}");

    let mut publisher = world.milepost(&["publish", file.to_str().expect("a path")]).spawn().expect("it publishes");
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "20"]);
    let mut during = 0;
    loop {
        let (code, proof) = proof(&world);
        assert_eq!((code, &proof["missing"]), (Some(0), &0.into()), "{proof}");
        if publisher.try_wait().expect("its state").is_some() && proof["applied"] == 5100 {
            break;
        }
        during += 1;
    }
    assert!(during > 0, "some proofs were made in the middle of it");
    running.kill();
    assert_eq!(proof(&world).1["received"], 5100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handled_while_somebody_looks_is_no_end_that_was_lost() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let running = world.start(&[]);
    running.readiness(200);
    for verb in [&["prove"][..], &["run", "--until-idle"]] {
        let before = world.number(HANDLED).await;
        // The other one has asked NATS or is about to, and stands before reading the books.
        let mut held = world.postgres().await;
        let mut held = held.begin().await.expect("a transaction");
        sqlx::query("lock table stream_incarnations").execute(&mut *held).await.expect("a lock");
        let mut other = world.milepost(verb).stdout(std::process::Stdio::null()).spawn().expect("it starts");
        world.reaches(BLOCKED, |blocked| blocked == 1);
        publish(&world, &mut csr, 10).await;
        world.reaches(HANDLED, |handled| handled == before + 10);
        held.rollback().await.expect("the lock is let go");
        assert!(other.wait().expect("it ends").success(), "{verb:?}");
    }
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_from_the_books_is_named() {
    let world = World::new().await;
    let mut csr = Csr::new();
    for _ in 0..3 {
        publish(&world, &mut csr, 10).await;
        world.drain(&[]);
    }
    world.prove();
    world.execute("delete from handled_sequences where sequences @> 11::int8").await;
    // The server may count the last acknowledgement a moment later: until then it might deliver that message again.
    let (code, proof) = eventually("all that is missing", || {
        let (code, found) = proof(&world);
        (found["missing"] == 10).then_some((code, found))
    });
    assert_eq!((code, &proof["ok"]), (Some(1), &false.into()), "{proof}");
    assert_eq!(proof["missing_sequences"], json!([[11, 20]]));
    let text = String::from_utf8(world.output(&["prove"]).stdout).expect("a text");
    assert!(text.contains("11-20") && text.contains("it does not add up"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_say_other_than_the_tables_are_noticed() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let nobody = csr.id();
    world.publish_events(&[csr.checkin(nobody)]).await;
    publish(&world, &mut csr, 5).await;
    world.publish(&[("buddy.match.created".into(), b"no JSON".to_vec())]).await;
    world.drain(&[]);
    world.prove();
    for (table, problem) in [
        ("event_log where event_type = 'ingest.directory.synced'", "events that should be stored"),
        ("waiting_events", "waiting events in the books"),
        ("dead_letters", "dead letters in the books"),
    ] {
        world.execute(&format!("delete from {table}")).await;
        let (code, proof) = proof(&world);
        assert_eq!(code, Some(1), "{table}");
        assert!(proof["problems"].to_string().contains(problem), "{problem} in {proof}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_acknowledged_is_missing_and_what_is_pending_is_not() {
    let world = World::new().await;
    let mut csr = Csr::new();
    publish(&world, &mut csr, 20).await;
    let context = world.jetstream().await;
    let stream = context.get_stream("CSR").await.expect("the stream");
    let thief: PullConsumer = stream.get_consumer("milepost").await.expect("the consumer");
    let mut stolen = thief.fetch().max_messages(5).messages().await.expect("messages");
    while let Some(Ok(message)) = stolen.next().await {
        message.double_ack().await.expect("it is acknowledged");
    }
    let (code, early) = proof(&world);
    assert_eq!((code, &early["missing"], &early["pending"]), (Some(1), &5.into(), &15.into()), "{early}");
    world.drain(&[]);
    let (code, late) = proof(&world);
    assert_eq!((code, &late["missing"], &late["pending"]), (Some(1), &5.into(), &0.into()), "{late}");
    assert_eq!((&late["missing_sequences"], &late["received"]), (&json!([[1, 5]]), &15.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_two_workers_were_given_counts_once() {
    let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
    let mut csr = Csr::new();
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    world.pulls(2);
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table handled_sequences in share mode").execute(&mut *held).await.expect("a lock");
    publish(&world, &mut csr, 1).await;
    // The first stands before its commit until NATS takes it for dead and gives the message to the second.
    world.reaches(BLOCKED, |blocked| blocked == 2);
    held.rollback().await.expect("the lock is let go");
    crate::support::eventually("the second finds it handled", || {
        (running.metric("milepost_fetch_redelivered_total", "") >= 1.0).then_some(())
    });
    running.kill();
    let proof = world.prove();
    assert_eq!((&proof["received"], &proof["applied"], &proof["duplicates"]), (&1.into(), &1.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_created_again_is_not_read_before_it_is_adopted() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let first = publish(&world, &mut csr, 10).await;
    world.drain(&[]);
    world.jetstream().await.delete_stream("CSR").await.expect("it is deleted");
    world.succeed(&["streams", "apply"]);
    world.publish_events(&first).await;
    publish(&world, &mut csr, 5).await;
    let (code, stderr) = said(&world.output(&["run", "--until-idle"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("created again") && stderr.contains("streams apply --adopt"), "{stderr}");
    assert_eq!(proof(&world).0, Some(1));
    world.succeed(&["streams", "apply", "--adopt"]);
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&5.into(), &10.into()), "{summary}");
    let proof = world.prove();
    assert_eq!((&proof["received"], &proof["applied"]), (&25.into(), &15.into()), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_lost_its_end_is_noticed_before_it_gives_used_sequences_anew() {
    let mut world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
    let mut csr = Csr::new();
    let first = publish(&world, &mut csr, 10).await;
    world.drain(&[]);
    let (store, copy) = (world.nats.store().join("jetstream"), world.folder.path().join("older"));
    let copied = |from: &std::path::Path, to: &std::path::Path| {
        assert!(Command::new("cp").arg("-R").args([from, to]).status().expect("cp runs").success());
    };
    world.nats.kill();
    copied(&store, &copy);
    world.nats.start_again();
    let second = publish(&world, &mut csr, 10).await;
    world.drain(&[]);
    world.nats.kill();
    std::fs::remove_dir_all(&store).expect("the store can be removed");
    copied(&copy, &store);
    world.nats.start_again();

    let (code, stderr) = said(&world.output(&["run", "--until-idle"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("lost its end") && stderr.contains("hint:"), "{stderr}");
    let (code, broken) = proof(&world);
    assert_eq!(code, Some(1));
    assert!(broken["problems"].to_string().contains("lost its end"), "{broken}");

    // As the hint says: create it again, adopt it, publish what was lost. Nothing takes effect twice.
    world.jetstream().await.delete_stream("CSR").await.expect("it is deleted");
    world.succeed(&["streams", "apply", "--adopt"]);
    world.publish_events(&[first, second].concat()).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&0.into(), &20.into()), "{summary}");
    assert_eq!(world.prove()["applied"], 20);
}
