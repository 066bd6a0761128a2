//! Everything dies at any moment, again and again: each event still has exactly one effect.

use rand::Rng as _;
use sqlx::Connection as _;

use crate::support::{HANDLED, Proxy, World, assert_same, chance, seeds};

/// Acknowledgements that were lost come again soon.
const ACK_WAIT: (&str, &str) = ("ack_wait = \"60s\"", "ack_wait = \"1s\"");
const MESSAGES: i64 = 3330;

/// A log with all troubles that a log can have, published; and the tables that it gives when nothing goes wrong.
async fn troubled(seed: u64) -> (World, std::collections::BTreeMap<String, Vec<String>>) {
    let seed = seed.to_string();
    let world = World::with_setting(ACK_WAIT.0, ACK_WAIT.1).await;
    let more = ["--duplicates", "0.1", "--shuffle", "0.1", "--poison", "0.01", "--seed", &seed];
    let log = world.succeed(&[&["generate", "--events", "3000"][..], &more].concat());
    let file = world.folder.path().join("log.ndjson");
    std::fs::write(&file, log).expect("a log");
    let file = file.to_str().expect("a path");

    let undisturbed = World::new().await;
    undisturbed.succeed(&["publish", file]);
    undisturbed.drain(&["--workers", "2"]);
    assert_eq!(undisturbed.prove()["received"], MESSAGES);
    world.succeed(&["publish", file]);
    (world, undisturbed.dump().await)
}

async fn assert_undisturbed(world: &World, expected: &std::collections::BTreeMap<String, Vec<String>>) {
    world.drain(&[]);
    assert_same(expected, &world.dump().await);
    let proof = world.prove();
    for (field, wanted) in
        [("received", MESSAGES), ("applied", 3000), ("duplicates", 300), ("dead_letters", 30), ("waiting", 0)]
    {
        assert_eq!(proof[field], wanted, "{field} of {proof}");
    }
}

/// Lets a process come to a commit that takes place after the process has died: it is never acknowledged.
async fn kill_between_commit_and_acknowledgement(world: &World) {
    let mut holder = world.postgres().await;
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut holder).await.expect("a lock");
    world
        .execute(
            "create constraint trigger at_commit after insert on handled_sequences deferrable initially deferred
                   for each row when (new.incarnation is not null) execute function wait_at_commit()",
        )
        .await;
    let before = world.number(HANDLED).await;
    let process = world.start(&["--only", "project", "--workers", "1", "--batch", "50"]);
    world.reaches(
        "select count(*) from pg_stat_activity where datname = current_database()
         and application_name = 'milepost' and query = 'commit' and wait_event = 'advisory'",
        |committing| committing == 1,
    );
    process.kill();
    holder.close().await.expect("the lock is let go");
    world.reaches(HANDLED, |handled| handled > before);
    world.execute("drop trigger at_commit on handled_sequences").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_gives_the_tables_of_an_undisturbed_run() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        let (world, expected) = troubled(seed).await;
        world
            .execute(
                "create function wait_at_commit() returns trigger language plpgsql as $$ begin
                           perform pg_advisory_xact_lock_shared(4711); return null; end $$",
            )
            .await;
        for kill in 0..18 {
            if kill % 6 == 3 {
                kill_between_commit_and_acknowledgement(&world).await;
                continue;
            }
            let batch = chance.random_range(5..80).to_string();
            let arguments = ["--only", "project", "--workers", "2", "--batch", &batch];
            let processes: Vec<_> = (0..chance.random_range(1..=2)).map(|_| world.start(&arguments)).collect();
            // At a moment that has nothing to do with what a process is at: so many messages later.
            let until = (world.number(HANDLED).await + chance.random_range(0..150)).min(MESSAGES);
            world.reaches(HANDLED, |handled| handled >= until);
            processes.into_iter().for_each(crate::support::Running::kill);
        }
        let consumer = world.consumer().await.delivered;
        assert!(consumer.consumer_sequence > consumer.stream_sequence, "messages were delivered again");
        let last = world.start(&["--only", "project", "--workers", "2"]);
        world.reaches(HANDLED, |handled| handled == MESSAGES);
        let absorbed = crate::support::eventually("what was committed and not acknowledged comes again", || {
            Some(last.metric("milepost_fetch_redelivered_total", "")).filter(|count| *count > 0.0)
        });
        eprintln!("{absorbed} messages came again after their commit");
        last.kill();
        assert_undisturbed(&world, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_killed_and_started_again_in_mid_flight_costs_nothing() {
    let (mut world, expected) = troubled(2).await;
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "20"]);
    for share in 1..=4 {
        world.reaches(HANDLED, |handled| handled >= MESSAGES * share / 5);
        world.nats.kill();
        world.nats.start_again();
    }
    world.reaches(HANDLED, |handled| handled == MESSAGES);
    running.readiness(200);
    assert!(running.metric("milepost_source_events_total", "event=\"disconnected\"") >= 1.0, "it was noticed");
    running.kill();
    assert_undisturbed(&world, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_database_sessions_cost_nothing() {
    let (world, expected) = troubled(3).await;
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "20"]);
    let mut terminated = 0;
    for share in 1..=10 {
        world.reaches(HANDLED, |handled| handled >= MESSAGES * share / 12);
        terminated += world
            .number(
                "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
                     where datname = current_database() and application_name = 'milepost'",
            )
            .await;
    }
    assert!(terminated >= 10, "{terminated} sessions were terminated");
    world.reaches(HANDLED, |handled| handled == MESSAGES);
    running.readiness(200);
    assert!(running.metric("milepost_batch_retries_total", "cause=\"unavailable\"") >= 1.0, "it was noticed");
    running.kill();
    assert_undisturbed(&world, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_reply_is_lost_take_effect_once() {
    let (world, expected) = troubled(4).await;
    let proxy = Proxy::to(&world.database_url);
    let mut command = world.milepost(&["run", "--only", "project", "--workers", "2", "--batch", "20"]);
    command.env("DATABASE_URL", proxy.url(&world.database_url));
    let running = crate::support::Running::start(command, world.folder.path().join("log"));
    for share in 1..=20 {
        world.reaches(HANDLED, |handled| handled >= MESSAGES * share / 22);
        proxy.lose_replies(1);
    }
    world.reaches(HANDLED, |handled| handled == MESSAGES);
    assert!(proxy.replies_lost() >= 8, "{} replies were lost", proxy.replies_lost());
    running.readiness(200);
    let in_doubt = running.metric("milepost_batch_retries_total", "cause=\"in_doubt\"");
    // The releaser and the deriver commit too, and lose some of these replies.
    assert!(in_doubt >= 3.0, "batches were tried again: {in_doubt}");
    // What was found to be handled is counted all the same, once, a moment after its commit.
    let results = ["applied", "duplicate", "waiting", "unrouted", "dead_letter", "own"];
    let count = |result: &&str| running.metric("milepost_events_total", &format!("result=\"{result}\""));
    let counted = crate::support::eventually("all messages to be counted", || {
        Some(results.iter().map(count).sum::<f64>()).filter(|counted| *counted >= MESSAGES as f64)
    });
    assert_eq!(format!("{counted}"), MESSAGES.to_string(), "messages that are counted");
    running.kill();
    assert_undisturbed(&world, &expected).await;
}
