//! A stream that is not the one of the books: said loudly, and not read.

use std::process::Command;

use crate::support::{Csr, HANDLED, World, eventually};

/// Ten messages are handled, the broker's store is copied, ten more are handled.
async fn with_older_copy(world: &mut World, csr: &mut Csr) -> std::path::PathBuf {
    world.publish_events(&csr.people(10)).await;
    world.drain(&[]);
    let older = world.folder.path().join("older");
    world.nats.kill();
    copy(&world.nats.store().join("jetstream"), &older);
    world.nats.start_again();
    world.publish_events(&csr.people(10)).await;
    world.drain(&[]);
    older
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(Command::new("cp").arg("-R").args([from, to]).status().expect("cp runs").success());
}

fn put_back(world: &mut World, older: &std::path::Path) {
    let store = world.nats.store().join("jetstream");
    world.nats.kill();
    std::fs::remove_dir_all(&store).expect("the store can be removed");
    copy(older, &store);
    world.nats.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_loses_its_end_under_a_running_service_is_not_read_any_more() {
    let mut world = World::new().await;
    let mut csr = Csr::new();
    let older = with_older_copy(&mut world, &mut csr).await;
    let mut running = world.start(&[]);
    running.readiness(200);
    let without_audit = ["project", "outbox"].map(|part| world.start(&["--only", part]));
    for process in &without_audit {
        process.readiness(200);
    }
    put_back(&mut world, &older);
    for process in without_audit.iter().chain([&running]) {
        eventually("readiness says why", || {
            let (status, said) = process.get("/readyz");
            (status == 503 && said.contains("lost its end") && said.contains("hint:")).then_some(())
        });
    }
    assert_eq!(running.metric("milepost_audit_stream_broken", ""), 1.0);
    eventually("the log says it too", || {
        let log = running.log();
        (log.contains("ERROR") && log.contains("lost its end")).then_some(())
    });
    let own = "insert into outbox (event_id, user_id, subject, payload)
               select gen_random_uuid(), id, 'user.profile.updated', '{}' from users limit 1";
    world.execute(own).await;
    world.publish_events(&csr.people(5)).await;
    eventually("the stream has them for it", || (running.metric("milepost_lag_messages", "") >= 5.0).then_some(()));
    assert_eq!(world.number("select count(*) from event_log").await, 20, "none of them is taken");
    assert_eq!(world.number("select count(*) from outbox where attempted_at is not null").await, 0, "nothing is told");
    assert!(running.is_running());
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_lost_and_has_grown_again_is_noticed() {
    let mut world = World::new().await;
    let mut csr = Csr::new();
    let older = with_older_copy(&mut world, &mut csr).await;
    put_back(&mut world, &older);
    world.publish_events(&csr.people(30)).await;
    let handled = world.number(HANDLED).await;
    let output = world.output(&["run", "--until-idle"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("used sequences anew") && said.contains("hint:"), "{said}");
    assert_eq!(world.number(HANDLED).await, handled);
    assert_eq!(world.output(&["prove"]).status.code(), Some(1));
}
