//! Requests to ClickHouse that are cut, whose answers are lost, or that are answered with nonsense.

use tokio::task::JoinSet;

use super::exact::assert_exact;
use super::trap::{Fate, Point, Trap};
use super::{BEHIND, INSERT, LOOK, UNFED};
use crate::support::{ClickHouse, Csr, Running, World, enveloped};

/// An answer that is none of ClickHouse's.
const GARBAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
const BUSY: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 65\r\nConnection: close\r\n\r\n\
    Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS) (v 26)";
const BROKEN: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 21\r\nConnection: close\r\n\r\n<html>Bad Gateway</ht";

/// Some events, fed by a process some of whose requests meet this fate.
async fn fed_despite(words: &'static str, point: Point, fate: Fate, times: usize) -> (World, Trap) {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    world.commit_people(&mut csr, 40).await;
    let trap = Trap::to_clickhouse(&world.analytics().url);
    trap.set(words, point, fate, times);
    let mut command = world.milepost(&["run", "--only", "analytics"]);
    command.env("CLICKHOUSE_URL", trap.url(&world.analytics().url));
    let running = Running::start(command, world.log_file());
    trap.caught(times);
    world.reaches(BEHIND, |behind| behind == 0);
    world.commit_people(&mut csr, 1).await; // which is one range for certain
    world.reaches(BEHIND, |behind| behind == 0);
    running.readiness(200);
    running.kill();
    world.end_lease().await;
    assert_exact(&world).await;
    (world, trap)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_whose_answer_was_lost_is_looked_up_and_not_repeated() {
    let (_world, trap) = fed_despite(INSERT, Point::After, Fate::Cut, 1).await;
    assert_eq!(trap.count(INSERT), 2, "one for each of two ranges");
}

/// Worlds side by side: they mostly wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn an_insert_that_was_cut_is_sent_again() {
    let mut cases = JoinSet::new();
    for point in [Point::Before, Point::Head, Point::Middle] {
        cases.spawn(async move {
            let (_world, trap) = fed_despite(INSERT, point, Fate::Cut, 2).await;
            assert_eq!(trap.count(INSERT), 4, "two were cut, two went through: {point:?}");
        });
    }
    cases.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn answers_that_are_wrong_are_not_believed() {
    let mut cases = JoinSet::new();
    cases.spawn(async {
        let (_world, trap) = fed_despite(INSERT, Point::Before, Fate::Answered(GARBAGE), 1).await;
        assert_eq!(trap.count(INSERT), 3, "somebody said that it is there: it was not");
    });
    for (answer, inserts) in [(BROKEN, 2), (BUSY, 3)] {
        cases.spawn(async move {
            let (_world, trap) = fed_despite(INSERT, Point::After, Fate::Answered(answer), 1).await;
            assert_eq!(trap.count(INSERT), inserts, "it was there: looked up, or repeated under its token");
        });
    }
    for answer in [GARBAGE, BUSY, BROKEN] {
        cases.spawn(async move {
            fed_despite(LOOK, Point::After, Fate::Answered(answer), 2).await;
        });
    }
    cases.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_view_of_theirs_that_fails_holds_the_feed_up_and_nothing_else() {
    let mut cases = JoinSet::new();
    for (name, is_killed) in [("a_theirs", false), ("a_theirs", true), ("z_theirs", true)] {
        cases.spawn(despite_a_view(name, is_killed));
    }
    cases.join_all().await;
}

async fn despite_a_view(name: &'static str, is_killed: bool) {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    world.analytics().execute("create table theirs (n UInt64) engine = MergeTree order by n");
    world.analytics().execute(&format!(
        "create materialized view {name} to theirs as select throwIf(position > 5, 'on purpose') as n from events_raw"
    ));
    let running = world.start(&["--only", "project,analytics"]);
    world.publish_events(&csr.people(30)).await;
    running.retried("fault", 2);
    world.publish_events(&csr.people(30)).await;
    world.reaches("select count(*) from event_log", |stored| stored == 60);
    let said = running.degraded("analytics: ");
    assert!(said.contains(name) && said.contains("  hint: a materialized view"), "{said}");
    assert!(!said.contains("@example.org"), "{said}");
    assert!(world.number(UNFED).await >= 1, "a range waits");
    if is_killed {
        running.kill();
        world.analytics().execute(&format!("drop view {name}"));
        world.end_lease().await;
        world.finish_feed();
    } else {
        world.analytics().execute(&format!("drop view {name}"));
        world.reaches(BEHIND, |behind| behind == 0);
        running.is_fine();
        running.kill();
        world.end_lease().await;
    }
    assert_exact(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_times_go_where_they_belong() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let mut csr = Csr::new();
    world.commit_people(&mut csr, 10).await;
    world.finish_feed();
    let times = [
        "1900-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1999-12-31T23:59:59Z",
        "2026-01-05T08:30:00Z",
        "2106-02-07T06:28:16Z",
        "2299-12-31T23:59:59.999999Z",
    ];
    let known = csr.id();
    world.publish_events(&[csr.person(known)]).await;
    for time in times {
        let mut late = csr.person(known);
        late["data"]["lastUpdated"] = time.into();
        let unknown = enveloped("privacy.note", csr.id(), time, serde_json::json!({"n": 1}));
        world.publish_events(&[late, unknown]).await;
    }
    assert_eq!(world.drain(&[])["received"], 13);
    world.finish_feed();
    assert_exact(&world).await;
    let first_and_last = world.analytics().lines("select min(event_time), max(event_time) from events_raw");
    assert_eq!(first_and_last, ["1900-01-01 00:00:00.000000\t2299-12-31 23:59:59.999999"]);
}
