//! ClickHouse killed, silent, or away for long: nothing is lost or doubled, and Postgres does not notice.

use super::exact::assert_exact;
use super::trap::{Fate, Point, Trap};
use super::{BEHIND, FED, INSERT, UNFED};
use crate::support::{ClickHouse, Csr, Engine, HANDLED, Running, World};

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_killed_again_and_again_holds_each_event_once() {
    let mut engine = Engine::start();
    let world = World::with_clickhouse(ClickHouse::on(&engine.url())).await;
    let mut csr = Csr::new();
    let way = Trap::to_clickhouse(&engine.url());
    let mut command = world.milepost(&["run", "--only", "project,analytics"]);
    command.env("CLICKHOUSE_URL", way.url(&world.analytics().url));
    let running = Running::start(command, world.log_file());
    for round in 1..=4 {
        let is_inserting = round % 2 == 0;
        if is_inserting {
            way.set(INSERT, Point::Middle, Fate::Held, 1);
        }
        world.publish_events(&csr.people(60)).await;
        if is_inserting {
            way.caught(1);
            assert!(world.number(UNFED).await > 0, "it has half of a range");
        } else {
            world.reaches(FED, |fed| fed > 61 * (round - 1));
        }
        engine.kill();
        way.cut();
        world.publish_events(&csr.people(1)).await;
        running.readiness(200);
        engine.start_again();
    }
    world.reaches(HANDLED, |handled| handled == 244);
    world.reaches(BEHIND, |behind| behind == 0);
    assert!(running.metric("milepost_analytics_retries_total", "cause=\"unavailable\"") >= 1.0, "it was noticed");
    running.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_that_says_nothing_is_given_up_and_asked_again() {
    let engine = Engine::start();
    let world = World::with_clickhouse(ClickHouse::on(&engine.url())).await;
    let mut csr = Csr::new();
    let running = world.start(&["--only", "project,analytics"]);
    world.publish_events(&csr.people(20)).await;
    world.reaches(FED, |fed| fed == 20);
    engine.fall_silent();
    world.publish_events(&csr.people(20)).await;
    running.retried("silent", 1);
    running.degraded("analytics: no answer from ClickHouse within");
    world.publish_events(&csr.people(20)).await;
    world.reaches(HANDLED, |handled| handled == 60);
    engine.go_on();
    world.reaches(BEHIND, |behind| behind == 0);
    running.is_fine();
    running.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}

/// An hour, scaled down: what counts is that many ranges' worth of events is committed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_outage_holds_up_nothing_and_is_caught_up_with_in_large_ranges() {
    let mut engine = Engine::start();
    let world = World::with_clickhouse(ClickHouse::on(&engine.url())).await;
    let mut csr = Csr::new();
    let running = world.start(&["--only", "project,analytics"]);
    world.publish_events(&csr.people(20)).await;
    world.reaches(FED, |fed| fed == 20);
    let ranges = "select count(*) from feed_ranges where events > 0";
    let before = world.number(ranges).await;
    engine.kill();
    for hour in 1..=10 {
        world.publish_events(&csr.people(200)).await;
        world.reaches(HANDLED, |handled| handled == 20 + 200 * hour);
        assert!(world.number(UNFED).await <= 2, "ranges that are held, with their bytes");
        running.degraded("analytics: ClickHouse cannot be reached");
    }
    world.drain(&[]);
    let lag = |at_least: f64| {
        crate::support::eventually("the lag to be told", || {
            let is_told = running.metric("milepost_analytics_lag_rows", "") >= at_least
                && running.metric("milepost_lag_seconds", "stage=\"analytics\"") > 0.0;
            is_told.then_some(())
        });
    };
    lag(2000.0);
    assert_eq!(world.number(BEHIND).await, 2000);
    engine.start_again();
    world.reaches(BEHIND, |behind| behind == 0);
    let since = world.number(ranges).await - before;
    assert!(since <= 4, "caught up in {since} ranges");
    running.readiness(200);
    running.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}
