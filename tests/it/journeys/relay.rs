//! The relay is killed at any moment, and two of them run at once: each change has exactly one message in the end.

use std::time::{Duration, Instant};

use chrono::Utc;
use rand::Rng as _;
use sqlx::Connection as _;

use super::life::{Life, ago};
use super::told::{self, UNPUBLISHED, all_told_once};
use crate::oracle::Oracle;
use crate::support::{Running, World, chance, eventually, seeds};

/// Whoever marks a row of the outbox as published waits here as long as somebody holds the lock.
const WAIT_BEFORE_MARKING: &str = "create function wait_before_marking() returns trigger language plpgsql as $$ begin
        perform pg_advisory_xact_lock_shared(4711); return new; end $$;
    create trigger wait_before_marking before update of published_at on outbox
        for each row execute function wait_before_marking()";
const MARKING: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'milepost' and wait_event = 'advisory' and query like 'update outbox set published_at%'";

/// Lets a process publish and die before it has marked what it published.
async fn kill_between_publishing_and_marking(world: &World, arguments: &[&str]) {
    let mut holder = world.postgres().await;
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut holder).await.expect("a lock");
    let process = world.start(arguments);
    world.reaches(MARKING, |marking| marking == 1);
    process.kill();
    let marking = "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event = 'advisory'
                   and datname = current_database() and query like 'update outbox set published_at%'";
    world.number(marking).await; // the statement must not go on without its process
    holder.close().await.expect("the lock is let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_many_moments_alone_and_in_twos_it_tells_everything_once() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
        world.execute(WAIT_BEFORE_MARKING).await;
        let number = seed.to_string();
        let log = world.generate(&["--events", "1200", "--people", "80", "--shuffle", "0.2", "--seed", &number]);
        world.publish(&log).await;
        for kill in 0..20 {
            let batch = chance.random_range(5..60).to_string();
            if kill % 5 == 4 && world.number(UNPUBLISHED).await > 0 {
                kill_between_publishing_and_marking(&world, &["--batch", &batch]).await;
                continue;
            }
            let processes: Vec<_> =
                (0..chance.random_range(1..=2)).map(|_| world.start(&["--batch", &batch])).collect();
            let end = Instant::now() + Duration::from_millis(chance.random_range(0..700));
            eventually("a moment that has nothing to do with anything", || (Instant::now() >= end).then_some(()));
            processes.into_iter().for_each(Running::kill);
        }
        let published = world.number("select count(*) from outbox where published_at is not null").await;
        eprintln!("published before the last run: {published}");
        world.drain_all(&["--workers", "2"]);
        Oracle::read(log.iter().map(|(_, line)| line)).expected(Utc::now()).compare(&world).await;
        let told = all_told_once(&world).await;
        eprintln!("{} events were told", told.len());
        assert_eq!(world.drain_all(&[])["received"], 0, "and nothing more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_tell_everything_once() {
    let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
    let log = world.generate(&["--events", "800", "--people", "60", "--shuffle", "0.2", "--seed", "5"]);
    world.publish(&log).await;
    let processes = [(); 2].map(|()| world.start(&["--batch", "20"]));
    world.reaches("select count(*) from outbox where published_at is not null", |published| published > 20);
    // The one that publishes goes; the other takes over.
    let mut processes = processes.into_iter();
    processes.next().expect("a process").kill();
    world.reaches(crate::support::HANDLED, |handled| handled >= 800);
    world.reaches(UNPUBLISHED, |unpublished| unpublished == 0);
    processes.for_each(Running::kill);
    world.drain_all(&[]);
    all_told_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_streams_window_it_waits_until_it_knows_whether_it_arrived() {
    let world = World::with_setting("duplicate_window = \"2m\"", "duplicate_window = \"2s\"").await;
    world.execute(WAIT_BEFORE_MARKING).await;
    let mut life = Life::new();
    life.matched(ago(3.0));
    world.publish_events(&life.take()).await;
    world.drain(&[]);
    kill_between_publishing_and_marking(&world, &["--only", "outbox"]).await;
    let arrived = told::all(&world).await;
    assert_eq!(arrived.len(), 2, "the first of each of the two people");
    assert_eq!(world.number(UNPUBLISHED).await, 4, "none of them is marked");
    world.reaches("select count(*) from outbox where attempted_at < now() - interval '3 s'", |stale| stale == 2);

    // The stream would take it a second time now. Nobody knows yet whether it is there.
    let running = world.start(&["--only", "outbox"]);
    running.readiness(200);
    world.reaches(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'milepost'
         and query like 'with next as%' and query_start > now() - interval '1 s'
         and backend_start < now() - interval '2 s'",
        |relaying| relaying == 1,
    );
    assert_eq!(told::all(&world).await.len(), 2, "nothing is told blindly");
    let projecting = world.start(&["--only", "project"]);
    world.reaches(UNPUBLISHED, |unpublished| unpublished == 0);
    running.kill();
    projecting.kill();
    world.drain_all(&[]);
    assert_eq!(all_told_once(&world).await.len(), 4);
}
