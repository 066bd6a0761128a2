//! Thousands of timers that are due at once: several processes share them, one of them dies, and events go on.

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::life::{at, now};
use super::timers::DUE;
use crate::oracle::Oracle;
use crate::support::{Csr, World};

/// So many people, all of whom get a timer; MILEPOST_CROWD makes it another number.
fn crowd() -> i64 {
    let people = std::env::var("MILEPOST_CROWD").unwrap_or_else(|_| "6000".to_owned());
    people.parse().expect("MILEPOST_CROWD is a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_timers_due_at_once_are_shared_and_events_go_on_meanwhile() {
    let (world, all) = (World::new().await, crowd());
    let mut csr = Csr::new();
    let pairs: Vec<[Uuid; 3]> = (0..all / 2).map(|_| [csr.id(), csr.id(), csr.id()]).collect();
    let people: Vec<String> = pairs.iter().flat_map(|pair| &pair[1..]).map(ToString::to_string).collect();
    world
        .execute(&format!(
            "insert into users (id, email) select id, id || '@example.org' from unnest('{{{}}}'::uuid[]) as id",
            people.join(",")
        ))
        .await;
    // All of them are due for a check-in at the same moment, which comes when all of this is stored.
    let begin = now() - TimeDelta::days(7) + TimeDelta::seconds(30 + all / 700);
    let matches: Vec<Value> = pairs.iter().map(|[id, one, two]| at(csr.matched(*id, *one, *two), begin)).collect();
    for some in matches.chunks(2000) {
        world.publish_events(some).await; // more at once would wait for acknowledgements that nobody reads
    }
    world.drain(&["--workers", "2"]);
    let left = begin + TimeDelta::days(7) - Utc::now();
    assert!(left > TimeDelta::zero(), "all of it is stored before the moment, not {left} after");
    eprintln!("{} s left", left.num_seconds());
    world.reaches(DUE, |due| due == all);

    let projecting = world.start(&["--only", "project"]);
    world.pulls(1); // so that only the timers can make it wait
    let processes = [(); 2].map(|()| world.start(&["--only", "timers"]));
    world.reaches(DUE, |due| due < all);
    let fired = processes.each_ref().map(|process| {
        crate::support::eventually("each of them fires some", || {
            Some(process.metric("milepost_timer_fired_total", "")).filter(|fired| *fired > 0.0)
        })
    });
    eprintln!("fired: {fired:?}");
    let [dying, surviving] = processes;
    dying.kill();
    let checkin = at(csr.checkin(pairs[0][0]), now());
    world.publish_events(std::slice::from_ref(&checkin)).await;
    let applied = "select case when exists (select from buddy_checkins)
                   then (select count(*) from journey_timers where due_at <= now()) else -1 end";
    let due = world.reaches(applied, |due| due >= 0);
    assert!(due > 0, "the event did not wait for the timers");
    world.reaches(DUE, |due| due == 0);
    surviving.kill();
    projecting.kill();

    // A flag changed twice for everybody, apart from those who were evaluated for the check-in alone.
    let told = "select count(*) from outbox where subject = 'orchestration.profile.updated'";
    let changes = world.number(told).await;
    assert!((all * 2 - 2..=all * 2 + 2).contains(&changes), "{changes} changes are told");
    let mut events: Vec<Value> = pairs.iter().flat_map(|pair| [csr.person(pair[1]), csr.person(pair[2])]).collect();
    events.extend(matches);
    events.push(checkin);
    Oracle::of(events).expected(Utc::now()).compare(&world).await;
}
