//! Two feeders: one writes, the other follows it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::exact::assert_exact;
use super::proof::{DAMAGES, damage, happened, three_months};
use super::trap::{Fate, Point};
use super::{BEHIND, INSERT, LOOK, MARK, SEAL, UNFED};
use crate::support::{ClickHouse, Csr, World, eventually};

/// A lease's ten seconds, and what it takes to notice on a machine that is busy with other tests.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(30);

/// The first is stopped (SIGSTOP) at a step; when it wakes up, the other has long done its work. What it had sent
/// arrives even later.
async fn stopped_at(words: &'static str, point: Point) {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    let (postgres, clickhouse) = world.traps();
    let trap = if matches!(words, SEAL | MARK) { &postgres } else { &clickhouse };
    let first = world.feeder_through(&postgres, &clickhouse);
    first.feeds();
    let second = world.feeder();
    trap.set(words, point, Fate::Held, 1);
    world.commit_people(&mut csr, 12).await;
    trap.caught(1);
    first.signal("STOP");
    let stopped = Instant::now();
    second.feeds();
    assert!(stopped.elapsed() < FOLLOWED_WITHIN, "followed after {:?}", stopped.elapsed());
    world.reaches(BEHIND, |behind| behind == 0);

    first.signal("CONT");
    trap.let_go();
    eventually("the first to notice", || (first.metric("milepost_analytics_feeding", "") < 0.5).then_some(()));
    world.commit_people(&mut csr, 12).await;
    world.reaches(BEHIND, |behind| behind == 0);
    eventually("the second to have fed all", || {
        (second.metric("milepost_analytics_rows_total", "") as i64 == 24).then_some(())
    });
    first.readiness(200);
    second.readiness(200);

    let epoch = world.number("select epoch from feed_leases where name = 'feed'").await;
    second.signal("TERM");
    assert_eq!(second.wait().0, Some(0));
    let held =
        format!("select count(*) from feed_leases where name = 'feed' and epoch = {epoch} and expires_at > now()");
    assert_eq!(world.number(&held).await, 0, "the lease was given back");
    first.feeds();
    world.commit_people(&mut csr, 12).await;
    world.reaches(BEHIND, |behind| behind == 0);
    first.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}

/// All at once: they mostly wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_feeder_that_was_stopped_past_its_lease_does_no_harm_when_it_wakes_up() {
    let mut cases = JoinSet::new();
    for (words, points) in [
        (SEAL, &[Point::Before, Point::After][..]),
        (INSERT, &[Point::Before, Point::Middle, Point::After]),
        (LOOK, &[Point::Before]),
        (MARK, &[Point::Before]),
    ] {
        for point in points {
            cases.spawn(stopped_at(words, *point));
        }
    }
    cases.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feeder_that_was_killed_is_followed_within_its_lease() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let first = world.feeder();
    first.feeds();
    let second = world.feeder();
    second.readiness(200);
    assert!(second.metric("milepost_analytics_feeding", "") < 0.5, "it stands by");
    world.commit_people(&mut Csr::new(), 12).await;
    world.reaches(BEHIND, |behind| behind == 0);
    first.kill();
    let killed = Instant::now();
    second.feeds();
    assert!(killed.elapsed() < FOLLOWED_WITHIN, "followed after {:?}", killed.elapsed());
    world.commit_people(&mut Csr::new(), 12).await;
    world.reaches(BEHIND, |behind| behind == 0);
    second.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}

/// The other has the lease and has not sealed yet: what the first had begun to seal is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_comes_after_its_lease_is_refused() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let ((postgres, clickhouse), (its_postgres, its_clickhouse)) = (world.traps(), world.traps());
    let first = world.feeder_through(&postgres, &clickhouse);
    first.feeds();
    let second = world.feeder_through(&its_postgres, &its_clickhouse);
    postgres.set(SEAL, Point::Before, Fate::Held, 1);
    its_postgres.set(SEAL, Point::Before, Fate::Held, 1);
    world.commit_people(&mut Csr::new(), 12).await;
    postgres.caught(1);
    first.signal("STOP");
    world.end_lease().await;
    second.feeds();
    its_postgres.caught(1);
    postgres.let_go();
    postgres.answered(SEAL);
    assert_eq!(world.number(UNFED).await, 0, "nothing was sealed");
    first.signal("CONT");
    its_postgres.let_go();
    world.reaches(BEHIND, |behind| behind == 0);
    first.readiness(200);
    first.kill();
    second.kill();
    world.end_lease().await;
    assert_exact(&world).await;
}

/// It has copied a partition and is stopped (SIGSTOP) before it puts it in its place. Meanwhile another feeds into it.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_was_stopped_past_its_lease_undoes_nothing() {
    let (world, ranges) = three_months().await;
    damage(&world, DAMAGES[0].1, ranges[1]);
    let (postgres, clickhouse) = world.traps();
    clickhouse.set("select * from events_raw where _partition_id", Point::After, Fate::Held, 1);
    let mut command = world.milepost(&["prove", "--repair"]);
    command.env("DATABASE_URL", postgres.url(&world.database_url));
    command.env("CLICKHOUSE_URL", clickhouse.url(&world.analytics().url));
    let mut repair = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    clickhouse.caught(1);
    signal(&repair, "STOP");
    world.carry(&[happened(&mut Csr::new(), "2026-06-20T10:00:00Z")]).await;
    let fed = format!("select count() from events_raw where position > {}", ranges[2].1);
    assert_eq!(world.analytics().number(&fed), 1);

    // It does not even hear that the lease is another's.
    postgres.set("update feed_leases", Point::Before, Fate::Held, usize::MAX);
    clickhouse.let_go();
    signal(&repair, "CONT");
    assert_eq!(repair.wait().expect("it ends").code(), Some(1), "it was too late");
    assert_eq!(world.analytics().number(&fed), 1, "what was fed meanwhile is there");
    world.is_well(&["--repair"]);
    world.is_all_there().await;
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "the process took {name}");
}
