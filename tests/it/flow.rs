//! The whole path, as the README shows it: generate, publish, run until idle, prove.

use crate::support::{Csr, World, assert_same};

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
    assert_eq!((&summary["released"], &summary["waiting_total"]), (&2000.into(), &0.into()), "{summary}");
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 2000);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.prove()["applied"], 2060);
}
