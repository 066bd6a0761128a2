//! Commits that become visible in another order than that of their positions: the feed does not pass what may still
//! come.

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::BEHIND;
use super::exact::{assert_exact, assert_fed};
use super::trap::{Fate, Point, Trap};
use crate::support::{ClickHouse, Csr, Running, World, eventually};

/// What the feed asks to know how far positions are settled.
const HORIZON: [&str; 2] = ["last_value - (not is_called)", "pg_snapshot_xmin"];
/// The service's session that waits, at its commit, for the test.
const COMMITTING: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'milepost' and query = 'commit' and wait_event = 'advisory'";
const STORED: &str = "select count(*) from event_log";

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("a statement");
}

/// Waits until the feeder has looked several times more.
#[track_caller]
fn looks(postgres: &Trap) {
    let count = || HORIZON.iter().map(|words| postgres.count(words)).sum::<usize>();
    let before = count();
    eventually("the feeder to look how far it may go", || (count() > before + 2).then_some(()));
}

/// A commit of the service that waits for the test, with its position drawn, while later ones are there.
struct Overtaken {
    world: World,
    holder: PgConnection,
    postgres: Trap,
    project: Running,
    feeder: Running,
}

async fn overtaken() -> Overtaken {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    let (postgres, clickhouse) = world.traps();
    let feeder = world.feeder_through(&postgres, &clickhouse);
    world.commit_people(&mut csr, 5).await;
    world.reaches(BEHIND, |behind| behind == 0);
    // Of another company: nobody waits for its rows.
    let slow: Value = Csr::new().people(1).remove(0);
    let mut holder = world.postgres().await;
    run(&mut holder, "select pg_advisory_lock(4711)").await;
    world
        .execute(&format!(
            "create function wait_at_commit() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
             create constraint trigger at_commit after insert on event_log deferrable initially deferred
                 for each row when (new.event_id = '{}') execute function wait_at_commit()",
            slow["metadata"]["id"].as_str().expect("an id")
        ))
        .await;
    let project = world.start(&["--only", "project", "--workers", "2", "--batch", "4"]);
    world.publish_events(&[slow]).await;
    world.reaches(COMMITTING, |committing| committing == 1);
    world.publish_events(&csr.people(20)).await;
    // The worker that waits holds some that it has fetched ahead.
    world.reaches(STORED, |stored| stored > 5);
    looks(&postgres);
    assert_eq!(world.raw_rows(), 5, "later events are not fed before it");
    Overtaken { world, holder, postgres, project, feeder }
}

impl Overtaken {
    async fn ends(self) {
        let Self { world, holder, postgres, project, feeder } = self;
        holder.close().await.expect("the lock is let go");
        world.reaches(STORED, |stored| stored == 26);
        world.reaches(BEHIND, |behind| behind == 0);
        project.kill();
        feeder.kill();
        postgres.cut();
        world.end_lease().await;
        world.drain(&[]);
        assert_exact(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_late_is_waited_for() {
    overtaken().await.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_rolled_back_is_waited_for_no_longer() {
    let overtaken = overtaken().await;
    let pid = overtaken.world.number(&COMMITTING.replace("count(*)", "max(pid)")).await;
    overtaken.world.execute(&format!("select pg_terminate_backend({pid})")).await;
    overtaken.world.reaches(&format!("select count(*) from pg_stat_activity where pid = {pid}"), |left| left == 0);
    overtaken.ends().await;
}

/// An event that is put into the store by hand.
const BY_HAND: &str = "insert into event_log select made.* from event_log as old,
    jsonb_populate_record(old, jsonb_build_object('event_id', gen_random_uuid(),
        'position', nextval('event_log_position_seq'))) as made
    where old.position = (select min(position) from event_log)";

/// Postgres's snapshots end before the highest transaction that is running: such a one is waited for too.
#[tokio::test(flavor = "multi_thread")]
async fn the_highest_transaction_is_waited_for() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    world.commit_people(&mut Csr::new(), 5).await;
    world.finish_feed();
    let (postgres, clickhouse) = world.traps();
    let feeder = world.feeder_through(&postgres, &clickhouse);
    feeder.feeds();
    // Renewals have transaction ids too, and are over: one of them would be the highest.
    postgres.set("update feed_leases set", Point::Before, Fate::Held, 1);
    postgres.caught(1);
    let [mut early, mut highest] = [world.postgres().await, world.postgres().await];
    run(&mut early, "begin; select pg_current_xact_id()").await;
    run(&mut highest, &format!("begin; {BY_HAND}")).await;
    run(&mut early, &format!("{BY_HAND}; commit")).await;
    looks(&postgres);
    assert_eq!(world.raw_rows(), 5, "the second is there, but the first may still come");
    run(&mut highest, "commit").await;
    postgres.let_go();
    world.reaches(BEHIND, |behind| behind == 0);
    assert_eq!(world.raw_rows(), 7);
    feeder.kill();
    world.end_lease().await;
    assert_fed(&world).await;
}

/// Somebody who draws positions and never uses them leaves gaps; somebody who has not decided yet holds the feed up.
#[tokio::test(flavor = "multi_thread")]
async fn positions_that_nobody_uses_are_passed_when_their_transaction_is_over() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    world.commit_people(&mut csr, 5).await;
    let mut idle = world.postgres().await;
    run(&mut idle, &format!("begin; {BY_HAND}; {BY_HAND}")).await;
    world.commit_people(&mut csr, 5).await;
    let (postgres, clickhouse) = world.traps();
    let feeder = world.feeder_through(&postgres, &clickhouse);
    feeder.feeds();
    looks(&postgres);
    assert_eq!(world.raw_rows(), 0, "nothing is settled");
    run(&mut idle, "rollback").await;
    world.reaches(BEHIND, |behind| behind == 0);
    feeder.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}
