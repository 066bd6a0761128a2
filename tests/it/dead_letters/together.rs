//! Redriving beside others: another operator who redrives the same, and batches that meet it on the same rows.

use std::process::Stdio;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};

use super::{ALLOW, FORBID, poison, with_a_match};
use crate::support::{BLOCKED, Csr, World};

/// Begins to redrive all.
fn begin(world: &World) -> std::process::Child {
    let mut redrive = world.milepost(&["dead-letters", "redrive", "--all", "--json"]);
    redrive.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// What it says at its end, which must be a good one.
#[track_caller]
fn ended(redrive: std::process::Child) -> Value {
    let output = redrive.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A world with so many dead letters of which nothing is wrong any more.
async fn mended(count: usize) -> World {
    let world = World::new().await;
    let mut csr = Csr::new();
    let match_id = with_a_match(&world, &mut csr).await;
    world.execute(FORBID).await;
    world.publish_events(&(0..count).map(|_| poison(&mut csr, match_id)).collect::<Vec<_>>()).await;
    assert_eq!(world.drain(&[])["dead_letters"], count);
    world.execute(ALLOW).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_apply_each_letter_once() {
    let world = mended(50).await;
    let mut holder = world.postgres().await;
    sqlx::raw_sql("begin; select from dead_letters for update").execute(&mut holder).await.expect("locks");
    let both = [begin(&world), begin(&world)];
    world.reaches(BLOCKED, |blocked| blocked == 2);
    holder.close().await.expect("the locks are let go");
    let redriven: i64 = both.map(ended).iter().map(|report| report["redriven"].as_i64().expect("a number")).sum();
    assert_eq!(redriven, 50);
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["dead_letters"], &proof["duplicates"]), (&json!(53), &json!(0), &json!(0)));
    let audited = "select sum((metadata->>'redriven')::int) from audit_logs where action = 'dead_letters.redrive'";
    assert_eq!(world.number(audited).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_with_a_batch_is_got_over() {
    let world = mended(3).await;
    // The other one is more patient: so it is the redrive that Postgres ends, if the two meet before it looks, once.
    let name = world.database_url.rsplit('/').next().expect("a database");
    world.execute(&format!("alter database {name} set deadlock_timeout = '10s'")).await;
    let mut batch = world.postgres().await;
    let people = "set deadlock_timeout = '40s'; begin; select from users for update";
    sqlx::raw_sql(people).execute(&mut batch).await.expect("locks");
    let redrive = begin(&world);
    world.reaches(BLOCKED, |blocked| blocked == 1);
    let letters = "select id from dead_letters for update";
    let locked: Vec<i64> =
        sqlx::query_scalar(AssertSqlSafe(letters)).fetch_all(&mut batch).await.expect("it goes first");
    assert_eq!(locked.len(), 3);
    batch.close().await.expect("the locks are let go");
    assert_eq!(ended(redrive)["redriven"], 3);
    assert_eq!(world.prove()["applied"], 6);
}
