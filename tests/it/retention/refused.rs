//! What must not be pruned, archived or dropped, and is refused with a reason.

use crate::support::{BLOCKED, Csr, World};

/// Asks for everything before February to be archived and dropped; exit code and what was said.
fn dropped(world: &World) -> (Option<i32>, String) {
    let folder = world.folder.path().join("archive");
    let output = world.output(&["archive", "--before", "2026-02", "--to", folder.to_str().expect("a path"), "--drop"]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_still_needed_is_not_dropped() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let nobody = csr.id();
    let person = csr.person(csr.company);
    world.publish_events(&[person, csr.checkin(nobody)]).await;
    world.drain(&[]);
    let (code, said) = dropped(&world);
    assert!(code == Some(1) && said.contains("events of it wait"), "{said}");
    world.execute("delete from waiting_events").await;
    for (reason, needed, done) in [
        (
            "ClickHouse has not got all of it",
            "insert into feed_ranges (generation, first_position, last_position, events, content_hash, body)
             values (1, 1, 1, 1, 0, '')",
            "update feed_ranges set body = null, fed_at = now()",
        ),
        ("ClickHouse has not got all of it", "select", "update feed_ranges set last_position = 100"),
        ("are to be replaced", "insert into feed_outdated (position) values (1)", "delete from feed_outdated"),
    ] {
        world.execute(needed).await;
        let (code, said) = dropped(&world);
        assert!(code == Some(1) && said.contains(reason), "{reason} in {said}");
        assert_eq!(world.number("select count(*) from event_log").await, 2);
        world.execute(done).await;
    }
    let mut rebuilder = world.postgres().await;
    sqlx::raw_sql("select pg_advisory_lock(x'6d696c650020'::int8)").execute(&mut rebuilder).await.expect("the lock");
    let (code, said) = dropped(&world);
    assert!(code == Some(1) && said.contains("made anew") && said.contains("hint:"), "{said}");
    drop(rebuilder);
    let locks = "select count(*) from pg_locks join pg_database on pg_database.oid = database
                 where datname = current_database() and locktype = 'advisory'";
    world.reaches(locks, |locks| locks == 0);
    // A range with archived events cannot be replaced: nobody waits for that.
    world
        .execute(
            "insert into feed_outdated (position) values (1);
             insert into event_archives (partition_name, file, sha256, events, stream_events, positions, first_time, last_time)
             values ('x', 'x', 'x', 1, 0, '{[90,91)}', now(), now())",
        )
        .await;
    let (code, said) = dropped(&world);
    assert!(code == Some(0) && said.contains("dropped"), "{said}");
    assert_eq!(world.number("select count(*) from event_log").await, 0);
    let logged = "select count(*) from audit_logs where action = 'archive.drop' and metadata->>'outcome' = 'done'";
    assert_eq!(world.number(logged).await, 1);
}

/// The file is complete, and somebody's transaction with one more event of the month commits just then.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_grew_while_it_was_archived_is_not_dropped() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(5)).await;
    world.drain(&[]);
    let mut writer = world.postgres().await;
    let late = "begin; insert into event_log (event_id, event_type, \"timestamp\", payload, content_hash)
        values (gen_random_uuid(), 'a.b.c', '2026-01-20', '{}', gen_random_uuid())";
    sqlx::raw_sql(late).execute(&mut writer).await.expect("one more event");
    // Of a greater position, and committed: the end of the month does not tell that the other one is to come.
    world.execute(late.trim_start_matches("begin; ")).await;
    let folder = world.folder.path().join("archive");
    let arguments = ["archive", "--before", "2026-02", "--to", folder.to_str().expect("a path"), "--drop"];
    let archiving = world.milepost(&arguments).stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    world.reaches(BLOCKED, |blocked| blocked == 1);
    sqlx::raw_sql("commit").execute(&mut writer).await.expect("committed");
    let output = archiving.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("events were added"), "{said}");
    assert_eq!(world.number("select count(*) from event_log").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_young_is_not_archived_and_a_short_horizon_is_a_fault() {
    let world = World::with_setting("# claims = \"90 days\"", "claims = \"36500 days\"").await;
    let (code, said) = dropped(&world);
    assert!(code == Some(2) && said.contains("retention.claims") && said.contains("hint:"), "{said}");
    let output = world.output(&["archive", "--before", "soon", "--to", "x"]);
    assert_eq!(output.status.code(), Some(2));
    let file = world.streams.as_ref().expect("a folder").join("stream.toml");
    let text = std::fs::read_to_string(&file).expect("stream.toml");
    std::fs::write(&file, text.replace("36500 days", "90m")).expect("stream.toml");
    let output = world.output(&["tidy"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("retention.claims must be at least 1day"), "{said}");
}
