//! ClickHouse killed, silent, or away for long: nothing is lost or doubled, and Postgres does not notice.

use super::exact::assert_exact;
use super::{BEHIND, FED, UNFED};
use crate::support::{ClickHouse, Csr, Engine, HANDLED, World};

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_killed_again_and_again_holds_each_event_once() {
    let mut engine = Engine::start();
    let world = World::with_clickhouse(ClickHouse::on(&engine.url())).await;
    let mut csr = Csr::new();
    let running = world.start(&["--only", "project,analytics"]);
    for round in 1..=4 {
        world.publish_events(&csr.people(60)).await;
        match round % 2 {
            0 => world.reaches(UNFED, |unfed| unfed > 0),
            _ => world.reaches(FED, |fed| fed > 60 * (round - 1)),
        };
        engine.kill();
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
    let said = running.readiness(200);
    assert!(said.contains("degraded: analytics: no answer from ClickHouse within 8 s"), "{said}");
    world.publish_events(&csr.people(20)).await;
    world.reaches(HANDLED, |handled| handled == 60);
    engine.go_on();
    world.reaches(BEHIND, |behind| behind == 0);
    assert_eq!(running.readiness(200), "ready\n");
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
    let since = world.number("select count(*) from feed_ranges where events > 0").await;
    assert!(since <= 5, "caught up in {since} ranges");
    running.readiness(200);
    running.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}
