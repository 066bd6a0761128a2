//! Repairs and rebuilds that are killed in the middle of a statement are done again, or finished.

use super::holding::{Held, Way};
use super::proof::{DAMAGES, damage, happened, three_months};
use crate::support::{Csr, World};

/// Each statement that a repair sends, in their order.
const REPAIRING: [&str; 7] = [
    "create table `events_raw_repair_",
    "query=insert+into+%60events_raw_repair_",
    "select * from events_raw where _partition_id",
    "alter table `events_raw` replace partition",
    "create table `events_aggregated_repair_",
    "alter table `events_aggregated` replace partition",
    "drop table if exists `events_aggregated_repair_",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_repair_is_simply_done_again() {
    let (world, ranges) = three_months().await;
    let content = world.content("events_raw");
    for (number, text) in REPAIRING.into_iter().enumerate() {
        for held in [Held::Statement, Held::Answer] {
            damage(&world, DAMAGES[number % 4].1, ranges[1]);
            Way::holding(&world, text, held).killed(world.milepost(&["prove", "--repair"]));
            world.leases_end().await;
            world.is_well(&["--repair"]);
            assert_eq!(world.content("events_raw"), content, "{text}, {held:?}");
            world.is_all_there().await;
        }
    }
}

/// Each statement that a rebuild sends, in their order.
const REBUILDING: [&str; 8] = [
    "create table `events_raw_next`",
    "create table `events_aggregated_next`",
    "create materialized view if not exists",
    "query=insert+into+%60events_raw_next%60",
    "exchange tables `events_raw`",
    "rename table `events_raw_next`",
    "exchange tables `events_aggregated`",
    "rename table `events_aggregated_next`",
];

/// Kills a rebuild at a statement; events come meanwhile; then the service, or the next rebuild, goes on.
async fn killed_at(texts: &[&str]) {
    let (world, _) = three_months().await;
    let mut csr = Csr::new();
    world.succeed(&["rebuild", "analytics"]);
    for (number, text) in texts.iter().enumerate() {
        for held in [Held::Statement, Held::Answer] {
            let before = world.number("select generation from feed_generations where state = 'current'").await;
            Way::holding(&world, text, held).killed(world.milepost(&["rebuild", "analytics"]));
            world.leases_end().await;
            world.publish_events(&[happened(&mut csr, "2026-06-20T00:00:00Z")]).await;
            world.drain(&[]);
            if number % 2 == 0 {
                world.succeed(&["rebuild", "analytics"]);
            } else {
                world.feed();
            }
            let after = world.number("select generation from feed_generations where state = 'current'").await;
            let is_decided = text.starts_with("exchange") || text.starts_with("rename");
            assert_eq!(after > before, is_decided || number % 2 == 0, "{text}, {held:?}: {before} and {after}");
            world.feed();
            world.is_well(&[]);
            world.is_all_there().await;
            let comments = "select comment from system.tables where database = currentDatabase()
                and name in ('events_raw', 'events_aggregated')";
            let comment = format!("generation {after}");
            assert_eq!(world.analytics().lines(comments), [comment.clone(), comment], "{text}, {held:?}");
        }
    }
    world.succeed(&["rebuild", "analytics"]);
    world.is_well(&[]);
    world.is_all_there().await;
    assert_eq!(world.content("events_raw_previous"), world.content("events_raw"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_while_it_builds_is_gone_on_with() {
    killed_at(&REBUILDING[..4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_killed_is_finished_by_whoever_comes_next() {
    killed_at(&REBUILDING[4..]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rebuilds_at_once_one_says_that_there_is_another() {
    let (world, _): (World, _) = three_months().await;
    let way = Way::holding(&world, "create table `events_raw_next`", Held::Answer);
    let mut first = way.started(world.milepost(&["rebuild", "analytics"]));
    for arguments in [
        &["rebuild", "analytics"][..],
        &["rebuild", "analytics", "--rollback"],
        &["rebuild", "analytics", "--drop-previous"],
    ] {
        let second = world.output(arguments);
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(second.status.code() == Some(1) && said.contains("another process is rebuilding"), "{said}");
    }
    first.kill().expect("it can be killed");
    first.wait().expect("it has ended");
    world.leases_end().await;
    world.succeed(&["rebuild", "analytics"]);
    world.is_well(&[]);
}
