//! SIGKILL at every step from the seal of a range to its mark.

use tokio::task::JoinSet;

use super::exact::assert_exact;
use super::trap::{Fate, Point};
use super::{INSERT, LOOK, MARK, SEAL, UNFED};
use crate::support::{ClickHouse, Csr, World};

/// Events of one range.
const EVENTS: i64 = 12;

/// A step at which the process dies, and what there is then: ranges that are not marked, and rows.
type Step = (&'static str, Point, i64, i64);

/// Feeds until the step, is killed there, and leaves what it leaves.
async fn killed_at(world: &World, (words, point, unfed, rows): Step, before: i64) {
    let (postgres, clickhouse) = world.traps();
    let trap = if matches!(words, SEAL | MARK) { &postgres } else { &clickhouse };
    trap.set(words, point, Fate::Held, 1);
    let process = world.feeder_through(&postgres, &clickhouse);
    trap.caught(1);
    process.kill();
    trap.cut();
    let step = format!("{words} {point:?}");
    assert_eq!(world.number(UNFED).await, unfed, "ranges that are not marked, killed at {step}");
    assert_eq!(world.raw_rows() - before, rows, "rows, killed at {step}");
    world.end_lease().await;
}

async fn killed_at_each(steps: &[Step]) {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    for step in steps {
        let before = world.raw_rows();
        world.commit_people(&mut csr, EVENTS as usize).await;
        killed_at(&world, *step, before).await;
        world.finish_feed();
        assert_exact(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_a_step_in_postgres_each_event_is_there_once() {
    killed_at_each(&[
        (SEAL, Point::Before, 0, 0),
        (SEAL, Point::After, 1, 0),
        (MARK, Point::Before, 1, EVENTS),
        (MARK, Point::After, 0, EVENTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_a_step_in_clickhouse_each_event_is_there_once() {
    killed_at_each(&[
        (INSERT, Point::Before, 1, 0),
        (INSERT, Point::Head, 1, 0),
        (INSERT, Point::Middle, 1, 0),
        (INSERT, Point::After, 1, EVENTS),
        (LOOK, Point::Before, 1, EVENTS),
        (LOOK, Point::After, 1, EVENTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_where_it_makes_up_for_it_each_event_is_there_once() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    let after_the_insert = [
        (INSERT, Point::After, 1, EVENTS),
        (LOOK, Point::Before, 1, EVENTS),
        (LOOK, Point::After, 1, EVENTS),
        (MARK, Point::Before, 1, EVENTS),
        (MARK, Point::After, 0, EVENTS),
    ];
    let before_the_insert = [
        (SEAL, Point::After, 1, 0),
        (LOOK, Point::After, 1, 0),
        (INSERT, Point::Middle, 1, 0),
        (INSERT, Point::Before, 1, 0),
        (INSERT, Point::After, 1, EVENTS),
        (MARK, Point::Before, 1, EVENTS),
    ];
    for steps in [&after_the_insert[..], &before_the_insert[..]] {
        let before = world.raw_rows();
        world.commit_people(&mut csr, EVENTS as usize).await;
        for step in steps {
            killed_at(&world, *step, before).await;
        }
        world.finish_feed();
        assert_exact(&world).await;
    }
}

/// The next insert reaches the server only when its sender is dead and another has taken over and finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn an_insert_that_outlives_its_sender_counts_once() {
    let mut cases = JoinSet::new();
    for point in [Point::Before, Point::Head, Point::Middle] {
        cases.spawn(outlived_at(point));
    }
    cases.join_all().await;
}

async fn outlived_at(point: Point) {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    world.commit_people(&mut Csr::new(), 12).await;
    let (postgres, clickhouse) = world.traps();
    clickhouse.set(INSERT, point, Fate::Held, 1);
    let process = world.feeder_through(&postgres, &clickhouse);
    clickhouse.caught(1);
    process.kill();
    world.end_lease().await;
    world.finish_feed();
    clickhouse.let_go();
    clickhouse.answered(INSERT);
    assert_exact(&world).await;
}

/// ClickHouse remembers tokens only so long; what was inserted and not marked is looked up, not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_whose_token_is_forgotten_counts_once() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    world.commit_people(&mut Csr::new(), 12).await;
    killed_at(&world, (INSERT, Point::After, 1, EVENTS), 0).await;
    let clickhouse = world.analytics();
    for table in ["events_raw", "events_aggregated"] {
        clickhouse.execute(&format!("alter table {table} modify setting non_replicated_deduplication_window = 1"));
    }
    for n in 0..3 {
        clickhouse
            .execute(&format!("insert into events_raw (position, event_time) values ({n}, '2001-01-0{}')", n + 1));
    }
    for table in ["events_raw", "events_aggregated"] {
        clickhouse.execute(&format!("alter table {table} drop partition 200101"));
    }
    let (postgres, trap) = world.traps();
    let process = world.feeder_through(&postgres, &trap);
    world.reaches(UNFED, |unfed| unfed == 0);
    process.kill();
    world.end_lease().await;
    assert_eq!(trap.count(INSERT), 0, "it was there");
    assert_exact(&world).await;
}
