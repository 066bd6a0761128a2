//! The whole path, as the README shows it: generate, publish, run until idle, prove.

use std::sync::atomic::Ordering;

use sqlx::Connection as _;

use crate::support::{ClickHouse, Csr, World, assert_same};

#[path = "../../benches/throughput/proxy.rs"]
mod counting;

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_log_takes_effect_once_and_adds_up() {
    let world = World::new().await;
    let log = world.folder.path().join("log.ndjson");
    let generated = world.succeed(&[
        "generate",
        "--events",
        "5000",
        "--duplicates",
        "0.05",
        "--shuffle",
        "0.05",
        "--poison",
        "0.01",
        "--seed",
        "11",
    ]);
    std::fs::write(&log, generated).expect("a log");
    let log = log.to_str().expect("a path");
    world.succeed(&["publish", log]);

    let summary = world.drain(&["--workers", "2"]);
    for (field, expected) in [
        ("received", 5300),
        ("applied", 5000),
        ("duplicates", 250),
        ("dead_letters", 50),
        ("waiting", 0),
        ("unrouted", 0),
    ] {
        assert_eq!(summary[field], expected, "{field} of {summary}");
    }
    let proof = world.prove();
    assert_eq!((&proof["ok"], &proof["received"], &proof["missing"]), (&true.into(), &5300.into(), &0.into()));
    let before = world.dump().await;
    assert_eq!(before["event_log"].len(), 5000);
    assert_eq!(world.dead_letters().len(), 50);

    world.succeed(&["publish", log]);
    let summary = world.drain(&[]);
    assert_eq!(
        (&summary["received"], &summary["applied"], &summary["duplicates"]),
        (&5300.into(), &0.into(), &5250.into())
    );
    assert_same(&before, &world.dump().await);
    assert_eq!(world.prove()["received"], 10_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_before_their_parents_all_end_up_projected() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people: Vec<_> = (0..40).map(|_| csr.id()).collect();
    let matches: Vec<_> = (0..20).map(|_| csr.id()).collect();
    let children: Vec<_> = (0..2000).map(|number| csr.checkin(matches[number % 20])).collect();
    world.publish_events(&children).await;
    let summary = world.drain(&[]);
    assert_eq!((&summary["waiting"], &summary["applied"]), (&2000.into(), &0.into()));
    assert_eq!(world.prove()["waiting"], 2000);

    let mut parents: Vec<_> = (0..20).map(|n| csr.matched(matches[n], people[n], people[n + 20])).collect();
    parents.extend(people.iter().map(|person| csr.person(*person)));
    world.publish_events(&parents).await;
    let summary = world.drain(&["--workers", "2"]);
    assert_eq!(summary["waiting_total"], 0, "{summary}");
    // A match whose people are in the other worker's batch waits for them too, and is released.
    assert!((2000..=2020).contains(&summary["released"].as_u64().expect("a number")), "{summary}");
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 2000);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.prove()["applied"], 2060);
}

/// Transactions, and the most round trips of one of them, for a log with so many events of every kind.
async fn round_trips(pairs: usize) -> (u64, u64) {
    let world = World::new().await;
    let mut csr = Csr::new();
    let mut events = Vec::new();
    for _ in 0..pairs {
        let [participant, buddy, matched] = [csr.id(), csr.id(), csr.id()];
        events.extend([csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)]);
        events.extend([csr.logged(matched), csr.checkin(matched), csr.ended(matched, participant, buddy, "completed")]);
    }
    world.publish_events(&events).await;
    let (_, address) = world.database_url.rsplit_once('@').expect("a user");
    let (address, _) = address.split_once('/').expect("a database");
    let (port, counts) = counting::start(address.to_owned());
    let proxied = world.database_url.replace(address, &format!("127.0.0.1:{port}"));
    let mut run = world.milepost(&["run", "--only", "project", "--until-idle", "--batch", "1000"]);
    let output = run.env("DATABASE_URL", proxied).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (counts.transactions.load(Ordering::Relaxed), counts.most.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_as_many_round_trips_whatever_its_size() {
    // A few events that were fetched together show what one batch with every kind in it costs.
    let mut small = round_trips(5).await;
    while small.0 > 1 {
        small = round_trips(5).await;
    }
    let large = round_trips(150).await;
    // Where there is nothing to delete or to tell, the statement is left out; so a few may come with size, but no more.
    assert!(large.1 <= small.1 + 5 && large.1 > 10, "{} for 30 events, {} for 900", small.1, large.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_runs_under_a_role_that_may_change_no_table_and_delete_no_history() {
    let world = World::with_clickhouse(ClickHouse::new()).await;
    let restricted = world.as_service().await;
    let run = |arguments: &[&str]| {
        let output = world.milepost(arguments).env("DATABASE_URL", &restricted).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a text")
    };
    let log = world.folder.path().join("log.ndjson");
    let sizes = ["--events", "3000", "--duplicates", "0.05", "--shuffle", "0.2", "--poison", "0.01", "--seed", "3"];
    std::fs::write(&log, world.succeed(&[&["generate"], &sizes[..]].concat())).expect("a log");
    world.succeed(&["publish", log.to_str().expect("a path")]);

    let summary: serde_json::Value =
        serde_json::from_str(&run(&["run", "--workers", "2", "--until-idle"])).expect("JSON");
    assert_eq!((&summary["applied"], &summary["dead_letters"]), (&3000.into(), &30.into()), "{summary}");
    run(&["streams", "check"]);
    run(&["prove"]);
    run(&["dead-letters", "discard", "1"]);
    run(&["dead-letters", "redrive", "--all", "--dry-run"]);
    run(&["waiting", "list"]);
    let first = world.rows("select event_id::text as id from event_log order by position limit 1").await.remove(0);
    run(&["explain", first["id"].as_str().expect("an id")]);
    assert_eq!(world.number("select count(*) from audit_logs where action = 'dead_letters.discard'").await, 1);
    let mut service = sqlx::PgConnection::connect(&restricted).await.expect("the role may connect");
    for forbidden in [
        "create table x ()",
        "delete from event_log",
        "truncate event_log",
        "delete from dead_letters",
        "delete from event_deduplication",
        "delete from users",
        "update _sqlx_migrations set success = false",
        "update audit_logs set action = 'nothing'",
        "delete from audit_logs",
        "truncate audit_logs",
        "update dead_letter_verdicts set reason = 'contract'",
        "delete from dead_letter_verdicts",
        "update duplicate_messages set sequence = 0",
    ] {
        let refused = sqlx::raw_sql(forbidden).execute(&mut service).await.expect_err(forbidden);
        let code = refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{forbidden}: {refused}");
    }
    // Whatever tells of the past: nothing is taken from it, and only these two are marked, when an event is released or
    // a claim gets its effect.
    let rights = "select count(*) from unnest(array['audit_logs', 'dead_letter_verdicts', 'duplicate_messages', 'event_ids',
            'event_archives', 'event_log', 'event_deduplication']) as t
         where has_table_privilege('milepost_writer', t, 'delete') or has_table_privilege('milepost_writer', t, 'truncate')
             or t not in ('event_log', 'event_deduplication') and has_table_privilege('milepost_writer', t, 'update')";
    assert_eq!(world.number(rights).await, 0, "tables whose past may be changed");
}
