//! Killed at any point, a rebuild has changed nothing, or all; the next one goes well.

use std::process::Child;

use sqlx::PgConnection;

use super::catalog::assert_same_catalog;
use crate::support::{World, assert_same};

/// A short one: it is rebuilt many times.
const LOG: [&str; 4] = ["--events", "400", "--people", "40"];
/// Statements of a rebuild that wait for a lock.
const WAITING: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'milepost' and wait_event_type = 'Lock' and query like";

fn start(world: &World, arguments: &[&str]) -> Child {
    world.milepost(arguments).stdout(std::process::Stdio::null()).spawn().expect("it starts")
}

fn kill(mut child: Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
}

async fn holding(world: &World, lock: &str) -> PgConnection {
    let mut holder = world.postgres().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("begin; {lock}"))).execute(&mut holder).await.expect("a lock");
    holder
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_has_changed_nothing_and_can_be_begun_anew() {
    let world = World::with_log(&LOG).await;
    let (before, catalog) = (world.dump().await, world.catalog().await);
    // While its tables are made, while they are filled, while it waits for the batches in flight, while it waits for a
    // reader, and when the tables have changed places but for the commit.
    for (lock, waits) in [
        ("lock table learning_reports in access exclusive mode", "'create table%'"),
        ("lock table event_log in access exclusive mode", "'%'"),
        ("select pg_advisory_lock_shared(120299557552130)", "'%pg_advisory_lock%'"),
        ("lock table users in access share mode", "'%lock table%'"),
        ("lock table outbox in exclusive mode", "'%table public.outbox drop%'"),
    ] {
        for verb in [&["rebuild", "--all"][..], &["rebuild", "--rollback"]] {
            if verb[1] == "--rollback" {
                if waits.contains("create table") {
                    continue; // it makes none
                }
                world.succeed(&["rebuild", "--all"]);
            }
            let holder = holding(&world, lock).await;
            let child = start(&world, verb);
            world.reaches(&format!("{WAITING} {waits}"), |waiting| waiting > 0);
            kill(child);
            drop(holder);
            assert_same(&before, &world.dump().await);
            world.succeed(verb);
            assert_same(&before, &world.dump().await);
            assert_same_catalog(&catalog, &world.catalog().await);
        }
    }
    world.is_as_rebuilt();
    world.prove();
}
