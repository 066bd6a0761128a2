//! Rebuilding beside a service at work, with other rules, with flags that change by themselves.

use chrono::Duration;
use serde_json::json;

use super::{DISORDER, LOG};
use crate::support::{Csr, HANDLED, World, before_it_is_due, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn while_events_keep_coming_there_is_no_difference() {
    let world = World::new().await;
    let log = world.generate(&[&["--events", "6000", "--seed", "5"], &DISORDER[..]].concat());
    let (first, rest) = log.split_at(2000);
    world.publish(first).await;
    let service = world.start(&["--workers", "2", "--batch", "100"]);
    world.reaches(HANDLED, |handled| handled >= 1000);
    let mut sent = first.len();
    // One comparison, and another beside the other half: each begins before events come, and has some of them in it.
    for rest in rest.chunks(rest.len() / 2 + 1) {
        let theirs = "select count(*) from event_log where event_id::text not in (select event_id::text from outbox)";
        // Events come all the time: a part of the log each time that the one before has been handled.
        let publishing = async {
            world.reaches("select count(*) from pg_namespace where nspname = 'milepost_next'", |begun| begun == 1);
            let before = world.number(theirs).await;
            for part in rest.chunks(100) {
                world.publish(part).await;
                sent += part.len();
                world.reaches(HANDLED, |handled| handled + 200 > i64::try_from(sent).expect("a number"));
            }
            before
        };
        let (filled, before) = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let comparing = scope.spawn(|| world.is_as_rebuilt()["events"].as_i64().expect("a number"));
                let before = tokio::runtime::Handle::current().block_on(publishing);
                (comparing.join().expect("there is no difference"), before)
            })
        });
        assert!(filled > before, "{filled} events, and {before} when it began: none of those that came meanwhile");
    }
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    world.drain(&[]);
    world.is_as_rebuilt();
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_is_late_makes_no_difference() {
    let world = World::new().await;
    let log = world.generate(&LOG);
    // Whom half of the log speaks of comes last, and a tenth of it not at all.
    let is_about_people = |subject: &str| subject.contains("user.synced") || subject.contains("directory.synced");
    let (people, rest): (Vec<_>, Vec<_>) = log.into_iter().partition(|(subject, _)| is_about_people(subject));
    let (last, people) = people.split_at(people.len() / 10);
    let (late, early) = people.split_at(people.len() / 2);
    world.publish(early).await;
    world.publish(&rest).await;
    let summary = world.drain(&["--workers", "2"]);
    assert!(summary["waiting"].as_i64().expect("a number") > 100, "{summary}");
    world.is_as_rebuilt();
    world.publish(late).await;
    world.drain(&[]);
    let waiting = world.number("select count(distinct position) from waiting_events").await;
    assert!(waiting > 0);
    let built = world.is_as_rebuilt();
    let stored = world.number("select count(*) from event_log").await;
    assert_eq!(built["events"], stored - waiting);
    world.succeed(&["rebuild", "--all"]);
    world.publish(last).await;
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from waiting_events").await, 0);
    world.is_as_rebuilt();
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_other_rules_were_applied_there_is_no_difference_and_while_they_are_it_is_refused() {
    let mut world = World::with_log(&LOG).await;
    let folder = world.folder_with("journey.toml", "for = \"14d\"", "for = \"10d\"");
    world.streams = Some(folder);
    let (code, _) = world.rebuild(&["--all", "--diff"]);
    assert_eq!(code, Some(0), "by the rules in force, not by those of the folder");
    world.succeed(&["rebuild", "--all"]);
    world.succeed(&["rules", "apply"]);
    world.is_as_rebuilt();
    // The generation before has facts by the rules before, and nothing to fill.
    let refused = world.output(&["rebuild", "--rollback"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("other rules than those"), "{said}");
    world
        .execute(
            "insert into journey_rules select epoch + 1, 'other', source, 'applying', separator from journey_rules
                   where state = 'applied'",
        )
        .await;
    let refused = world.output(&["rebuild", "--all"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("rules apply"), "{said}");
}

/// What the live tables show of somebody whose timer nobody has fired yet was right until then, and is no difference. When
/// the tables are swapped it is made up for, and told.
#[tokio::test(flavor = "multi_thread")]
async fn flags_that_change_by_themselves_make_no_difference() {
    let mut csr = Csr::new();
    let due = "select count(*) from journey_flags where flag = 'buddy_checkin_due'";
    let world = before_it_is_due(due, |in_a_moment| {
        let [a, b, pair] = [csr.id(), csr.id(), csr.id()];
        // A check-in is due when nothing was heard of a match for 7 days.
        let matched_at = (in_a_moment - Duration::days(7)).to_rfc3339();
        let data = json!({"matchId": pair, "participantId": a, "buddyId": b, "matchedAt": matched_at});
        vec![csr.person(a), csr.person(b), csr.event("buddy.match.created", data)]
    })
    .await;
    world.reaches("select count(*) from journey_timers where due_at <= now()", |late| late == 2);
    world.is_as_rebuilt();
    let told = world.number("select count(*) from outbox").await;
    let (code, built) = world.rebuild(&["--all", "--diff", "--swap"]);
    assert_eq!((code, world.number(due).await), (Some(0), 2), "{built:#}");
    assert_eq!(world.number("select count(*) from outbox").await, told + 2);
    world.is_as_rebuilt();
    world.drain_all(&["--only", "project,timers"]);
    assert_eq!(world.number("select count(*) from outbox").await, told + 2);
}

/// Two at once would fill each other's tables.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_refused() {
    let world = World::with_log(&LOG).await;
    // Halted in the middle: it has to wait for a table that is locked.
    let mut holder = world.postgres().await;
    sqlx::raw_sql("begin; lock table users in access exclusive mode").execute(&mut holder).await.expect("a lock");
    let mut first = world.milepost(&["rebuild", "--all", "--diff"]).spawn().expect("it starts");
    world.reaches(crate::support::BLOCKED, |blocked| blocked == 1);
    let refused = world.output(&["rebuild", "--all", "--diff"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("another rebuild"), "{said}");
    drop(holder);
    let ended = eventually("the first rebuild to end", || first.try_wait().expect("its state"));
    assert_eq!(ended.code(), Some(0));
}
