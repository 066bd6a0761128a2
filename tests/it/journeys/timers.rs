//! Flags that change although nothing happens: within seconds, after a pause of the service, and to the same as if
//! somebody had looked at that moment.

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::life::{Instant, Life, ago, flag, now};
use crate::oracle::Oracle;
use crate::support::{HANDLED, World, assert_same, eventually};

/// Timers whose moment has come.
pub(super) const DUE: &str = "select count(*) from journey_timers where due_at <= now()";
/// How long after its moment a change may be seen, on a machine that is busy with other tests.
const LATE_MAX: TimeDelta = TimeDelta::seconds(10);

/// So many days and seconds before now: what takes that many days happens so many seconds from now.
fn soon(days: i64, seconds: i64) -> Instant {
    now() - TimeDelta::days(days) + TimeDelta::seconds(seconds)
}

fn count(flag: &str) -> String {
    format!("select count(*) from journey_flags where flag = '{flag}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_quiet_gets_the_flag_within_seconds_and_nothing_else_happens() {
    let world = World::new().await;
    let running = world.start(&["--only", "project,timers"]);
    let mut life = Life::new();
    let last = soon(14, 6);
    life.course("in_progress", ago(40.0)).course("in_progress", last);
    world.publish_events(&life.take()).await;
    world.reaches(HANDLED, |handled| handled == 4);
    let early = flag(&world, life.ada, "followup_needed").await;
    assert!(early.is_none() || Utc::now() >= last + TimeDelta::days(14), "not yet");
    world.reaches(&count("followup_needed"), |people| people == 1);
    let seen = Utc::now();
    let due = last + TimeDelta::days(14);
    assert_eq!(flag(&world, life.ada, "followup_needed").await, Some((due, None)));
    assert!(due <= seen && seen <= due + LATE_MAX, "due at {due}, seen at {seen}");
    life.judge(&world).await;
    eventually("it to be counted", || (running.metric("milepost_timer_fired_total", "") >= 1.0).then_some(()));
    assert_eq!(world.number("select count(*) from journey_timers").await, 0, "nothing more is to come");
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dated_later_counts_from_its_time_on() {
    let world = World::new().await;
    let running = world.start(&["--only", "project,timers"]);
    let mut life = Life::new();
    // Everything in the future: a match that begins and ends, a low score, and feedback that is pending then.
    let (begin, end) = (soon(0, 10), soon(0, 25));
    life.matched(begin).ended(end).logged(begin).score(0.4, begin);
    world.publish_events(&life.take()).await;
    world.reaches(HANDLED, |handled| handled == 6);
    assert_eq!(world.number("select count(*) from journey_flags").await, 0, "nothing of it has happened yet");
    assert_eq!(world.number("select count(*) from journey_milestones where milestone = 'first_buddy_match'").await, 2);
    for (name, people) in [("buddy_active", 2), ("buddy_match_active", 2), ("language_support_needed", 1)] {
        world.reaches(&count(name), |found| found == people);
    }
    world.reaches(&count("buddy_feedback_pending"), |people| people == 2);
    for gone in ["buddy_active", "buddy_match_active"] {
        assert_eq!(world.number(&count(gone)).await, 0, "the match has ended");
    }
    assert_eq!(
        flag(&world, life.bob, "buddy_feedback_pending").await,
        Some((end, Some(end + TimeDelta::days(60)))),
        "since it ended"
    );
    life.judge(&world).await;
    running.kill();
}

/// Histories each of whose flags changes in the seconds after they are told, some of them twice.
fn about_to_change() -> (Vec<Value>, Instant) {
    let mut events = Vec::new();
    for number in 0..12 {
        let mut life = Life::new();
        let second = 20 + number % 3;
        match number % 6 {
            0 => life.matched(soon(7, second)),
            1 => life.matched(soon(30, second)).checkin(soon(7, second + 1)).logged(soon(29, 0)),
            2 => life.matched(soon(80, 0)).ended(soon(60, second)),
            3 => life.matched(soon(90, 0)).logged(soon(30, second)).logged(soon(-1, 0)),
            4 => life.course("enrolled", soon(14, second)).score(0.4, soon(0, second)),
            _ => life.matched(soon(0, second)).ended(soon(0, second + 1)).course("dropped", soon(14, second)),
        };
        events.extend(life.take());
    }
    (events, soon(0, 23))
}

#[tokio::test(flavor = "multi_thread")]
async fn fired_late_or_never_needed_timers_lead_to_the_same() {
    let (early, late) = (World::new().await, World::new().await);
    let (events, moment) = about_to_change();
    early.publish_events(&events).await;
    late.publish_events(&events).await;
    early.drain(&[]);
    assert_eq!(early.number(DUE).await, 0, "this began in time");
    // Nobody is there when the moments come.
    early.reaches(
        &format!("select count(*) from journey_timers where due_at <= least(now(), '{moment}') and now() > '{moment}'"),
        |due| due >= 20,
    );
    let before = early.dump().await;
    early.drain_all(&["--only", "timers"]);
    assert_eq!(early.number(DUE).await, 0);
    Oracle::of(events).expected(Utc::now()).compare(&early).await;
    late.drain(&[]);
    let (fired, evaluated) = (early.dump().await, late.dump().await);
    assert_ne!(before["journey_flags"], fired["journey_flags"]);
    assert_same(&evaluated, &fired);
    let timers = "select due_at from journey_timers order by user_id";
    assert_eq!(early.rows(timers).await, late.rows(timers).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_expires_is_taken_away() {
    let world = World::new().await;
    let running = world.start(&["--only", "project,timers"]);
    let mut life = Life::new();
    let end = soon(60, 20);
    life.matched(ago(80.0)).ended(end);
    world.publish_events(&life.take()).await;
    world.reaches(&count("buddy_feedback_pending"), |people| people == 2);
    world.reaches(&count("buddy_feedback_pending"), |people| people == 0);
    assert!(Utc::now() >= end + TimeDelta::days(60), "not before its time");
    life.judge(&world).await;
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_somebody_else_is_at_holds_nobody_up() {
    let world = World::new().await;
    let mut life = Life::new();
    life.matched(soon(7, 15));
    life.live(&world).await;
    world.reaches(DUE, |due| due == 2);
    let mut holder = world.postgres().await;
    let hold = format!("begin; select from users where id = '{}' for update", life.ada);
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut holder).await.expect("a lock");
    let running = world.start(&["--only", "timers"]);
    world.reaches(&count("buddy_checkin_due"), |people| people == 1);
    assert!(flag(&world, life.bob, "buddy_checkin_due").await.is_some());
    sqlx::raw_sql("rollback").execute(&mut holder).await.expect("the lock is let go");
    world.reaches(&count("buddy_checkin_due"), |people| people == 2);
    running.kill();
    life.judge(&world).await;
}
