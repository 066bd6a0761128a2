//! Starting, being asked how it is, and stopping.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Output;

use sqlx::Connection as _;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::support::{BLOCKED, Csr, HANDLED, Proxy, Running, World, eventually, milepost};

/// Exit code and what was said on stderr.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_the_batch_in_flight_and_ends_with_zero() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people = csr.people(100);
    let running = world.start(&["--batch", "10"]);
    world.pulls(1);
    let mut held = world.postgres().await;
    let mut held = held.begin().await.expect("a transaction");
    sqlx::query("lock table handled_sequences in share mode").execute(&mut *held).await.expect("a lock");
    world.publish_events(&people).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    running.signal("TERM");
    eventually("the signal to arrive", || running.log().contains("stopping").then_some(()));
    held.rollback().await.expect("the lock is let go");
    assert_eq!(running.wait().0, Some(0));
    // The batch that was in flight is committed and acknowledged; the rest is left to whoever comes next.
    let handled = world.number(HANDLED).await;
    assert!((1..=30).contains(&handled), "{handled} messages were handled");
    // NATS books acknowledgements a moment after it has got them.
    let floor = || Handle::current().block_on(world.consumer()).ack_floor.stream_sequence;
    block_in_place(|| {
        eventually("all of it to be acknowledged", || (i64::try_from(floor()) == Ok(handled)).then_some(()));
    });
    let proof = world.prove();
    assert_eq!((&proof["missing"], &proof["pending"]), (&0.into(), &(100 - handled).into()), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_service_goes_on_where_a_stopped_one_was() {
    let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
    let mut csr = Csr::new();
    let people = csr.people(600);
    world.publish_events(&people).await;
    for share in 1..=5 {
        let running = world.start(&["--workers", "2", "--batch", "7"]);
        world.reaches(HANDLED, |handled| handled >= share * 100);
        running.signal(if share % 2 == 0 { "INT" } else { "TERM" });
        assert_eq!(running.wait().0, Some(0));
    }
    world.drain(&[]);
    assert_eq!(world.prove()["applied"], 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_postgres_and_nats_down_and_up_again() {
    let mut world = World::new().await;
    let proxy = Proxy::to(&world.database_url);
    let mut command = world.milepost(&["run"]);
    command.env("DATABASE_URL", proxy.url(&world.database_url));
    let mut running = Running::start(command, world.folder.path().join("log"));
    assert_eq!(running.readiness(200), "ready\n", "nothing to do is no trouble");

    proxy.close();
    assert!(running.readiness(503).starts_with("not ready\n"));
    assert_eq!(running.get("/healthz"), (200, "alive\n".into()), "a restart would not help");
    proxy.open();
    running.readiness(200);

    world.nats.kill();
    running.readiness(503);
    assert_eq!((running.get("/healthz").0, running.is_running()), (200, true));
    world.nats.start_again();
    running.readiness(200);

    let mut csr = Csr::new();
    let person = csr.id();
    world.publish_events(&[csr.person(person)]).await;
    world.reaches("select count(*) from users", |users| users == 1);
    running.signal("TERM");
    assert_eq!(running.wait().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_servers_that_are_not_there_yet() {
    let mut world = World::new().await;
    world.nats.kill();
    let proxy = Proxy::to(&world.database_url);
    proxy.close();
    let mut command = world.milepost(&["run"]);
    command.env("DATABASE_URL", proxy.url(&world.database_url));
    let running = Running::start(command, world.folder.path().join("log"));
    assert_eq!((running.get("/healthz").0, running.get("/readyz").0), (200, 503));
    proxy.open();
    eventually("the service asks for NATS", || running.log().contains("part=\"nats\"").then_some(()));
    assert_eq!(running.get("/readyz").0, 503);
    world.nats.start_again();
    running.readiness(200);
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_every_name_from_the_start_and_no_ids() {
    let world = World::new().await;
    let running = world.start(&[]);
    running.readiness(200);
    for result in ["applied", "duplicate", "waiting", "released", "unrouted", "dead_letter", "own"] {
        let line = format!("milepost_events_total{{stream=\"CSR\",result=\"{result}\"}} 0");
        let (_, text) = running.get("/metrics");
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let mut csr = Csr::new();
    let (person, nobody) = (csr.id(), csr.id());
    let events = [csr.person(person), csr.checkin(nobody)];
    world.publish_events(&events).await;
    world.publish(&[("buddy.match.created".into(), b"no JSON".to_vec())]).await;
    eventually("the service sees the dead letter", || {
        (running.metric("milepost_dead_letters", "") + running.metric("milepost_waiting_events", "") > 1.5)
            .then_some(())
    });
    let (_, text) = running.get("/metrics");
    let described: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for name in [
        "milepost_events_total",
        "milepost_lag_messages",
        "milepost_lag_seconds",
        "milepost_batch_seconds",
        "milepost_batch_events",
        "milepost_waiting_events",
        "milepost_dead_letters",
        "milepost_identity_conflicts_total",
    ] {
        assert!(described.contains(name), "{name} in {text}");
    }
    assert!(text.contains("milepost_lag_seconds{stage=\"commit\"}"), "{text}");
    for id in [person.to_string(), nobody.to_string(), csr.company.to_string(), person.simple().to_string()] {
        assert!(!text.contains(&id), "{id} in {text}");
    }
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_version_is_refused_with_a_hint() {
    let world = World::new().await;
    world.succeed(&["migrate", "--down", "1"]);
    let (code, stderr) = said(&world.output(&["run"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("hint: run `milepost migrate`"), "{stderr}");
    world.succeed(&["migrate"]);
    world.drain(&[]);
    world
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                   values (9999, 'from the future', true, '', 0)",
        )
        .await;
    let (code, stderr) = said(&world.output(&["run"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("9999") && stderr.contains("hint: run the newer milepost"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_configuration_ends_with_two_and_names_every_fault() {
    let missing = milepost().arg("run").env_remove("DATABASE_URL").output().expect("it runs");
    let (code, stderr) = said(&missing);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("DATABASE_URL is not set") && stderr.contains("hint:"), "{stderr}");

    let world = World::without_stream().await;
    let streams = concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr");
    let copied = std::process::Command::new("cp").args(["-R", streams]).arg(world.folder.path().join("csr")).status();
    assert!(copied.expect("cp runs").success());
    let file = |name: &str| world.folder.path().join("csr").join(name);
    let toml = std::fs::read_to_string(file("stream.toml")).expect("stream.toml");
    let broken = toml.replace("ack_wait = \"60s\"", "ack_wait = \"soon\"");
    std::fs::write(file("stream.toml"), &toml).expect("stream.toml");
    std::fs::write(file("events/buddy.match.ended.schema.json"), "{").expect("a schema");
    std::fs::write(file("events/buddy.event.logged.schema.json"), "[]").expect("a schema");
    let run = || world.milepost(&["run"]).env("MILEPOST_STREAMS", file("")).output().expect("it runs");
    let (code, stderr) = said(&run());
    assert_eq!(code, Some(2), "{stderr}");
    for name in ["buddy.match.ended", "buddy.event.logged"] {
        assert!(stderr.contains(name), "{name} in {stderr}");
    }
    std::fs::write(file("stream.toml"), broken).expect("stream.toml");
    let (code, stderr) = said(&run());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("ack_wait") || stderr.contains("soon"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_ends_with_two_and_a_hint() {
    let world = World::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = world.milepost(&["run"]).env("MILEPOST_HTTP_ADDR", &address).output().expect("it runs");
    let (code, stderr) = said(&output);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains(&address) && stderr.contains("MILEPOST_HTTP_ADDR"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_deleted_under_it_is_noticed_and_all_goes_on_once_it_is_back() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let people = csr.people(20);
    world.publish_events(&people[..10]).await;
    let running = world.start(&[]);
    world.reaches(HANDLED, |handled| handled == 10);
    running.readiness(200);
    let context = world.jetstream().await;
    context.delete_consumer_from_stream("milepost", "CSR").await.expect("it is deleted");
    eventually("a complaint with a hint", || {
        let (status, said) = running.get("/readyz");
        (status == 503 && said.contains("hint: run `milepost streams apply`")).then_some(())
    });
    eventually("the log says it too", || running.log().contains("milepost streams apply").then_some(()));
    world.publish_events(&people[10..]).await;
    world.succeed(&["streams", "apply"]);
    world.reaches(HANDLED, |handled| handled == 20);
    running.readiness(200);
    running.kill();
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["duplicates"], &proof["received"]), (&20.into(), &0.into(), &20.into()));
}
