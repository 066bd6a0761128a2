//! `prove --repair` replaces what differs, and nothing else.

use serde_json::json;

use super::proof::{DAMAGES, damage, happened, ranges, three_months};
use crate::support::{Csr, World, eventually};

/// Names of the parts in which a table's rows are, by partition.
fn parts(world: &World, is_june: bool) -> Vec<String> {
    let sign = if is_june { "=" } else { "<>" };
    world.analytics().lines(&format!(
        "select table, partition, name from system.parts where database = currentDatabase() and active
             and table in ('events_raw', 'events_aggregated') and partition {sign} '202606' order by all"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_replaces_what_differs_and_nothing_else() {
    let (world, ranges) = three_months().await;
    let content = world.content("events_raw");
    for (name, statements, ..) in DAMAGES {
        damage(&world, statements, ranges[1]);
        let (wrong, others) = (parts(&world, true), parts(&world, false));
        assert_eq!(others.len(), 4, "a part for each of two months and tables");
        let proof = world.is_well(&["--repair"]);
        assert_eq!(proof["repaired"], json!(["202606"]), "{name}");
        assert_eq!(parts(&world, false), others, "{name}: others keep their parts");
        assert_ne!(parts(&world, true), wrong, "{name}");
        assert_eq!(world.content("events_raw"), content, "{name}");
        world.is_all_there().await;
        let all = [parts(&world, true), others].concat();
        let again = world.is_well(&["--repair"]);
        assert_eq!(again.get("repaired"), None, "{name}: nothing is left to do");
        assert_eq!([parts(&world, true), parts(&world, false)].concat(), all, "{name}");
        let tables = world.analytics().lines("show tables");
        assert!(tables.iter().all(|table| !table.contains("_repair")), "{name}: {tables:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_in_shared_partitions_and_strays_are_put_right_at_once() {
    let (world, _) = three_months().await;
    let mut csr = Csr::new();
    for day in 1..5 {
        let both = ["2026-05", "2026-06"].map(|month| happened(&mut csr, &format!("{month}-1{day}T00:30:00Z")));
        world.carry(&both).await;
    }
    let content = world.content("events_raw");
    let ranges = ranges(&world).await;
    for (_, statements, ..) in DAMAGES {
        damage(&world, statements, ranges[1]);
    }
    let (first, last) = (ranges[4].0, ranges[6].1);
    world.analytics().execute(&format!("delete from events_raw where position in ({first}, {last})"));
    world.analytics().execute("insert into events_raw (position, event_time) select 0, '2150-01-01 00:00:00'");
    world.analytics().execute("insert into events_raw (position, event_time) select 987654, '2031-05-01 00:00:00'");
    let (is_well, proof) = world.judged(&[]);
    assert!(!is_well && proof["problems"].to_string().contains("2 rows beyond position"), "{proof}");
    world.is_well(&["--repair"]);
    assert_eq!(world.content("events_raw"), content);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lost_everything_in_many_ranges_is_filled_again() {
    let (world, ranges) = three_months().await;
    // As a feed of months and years leaves them: a range for each event, and more than one query can name.
    let last = ranges[2].1;
    world
        .execute(&format!(
            "delete from feed_ranges where first_position > {last};
         insert into feed_ranges (generation, first_position, last_position, events, content_hash, fed_at)
         select 1, {last} + n, {last} + n, 0, 0, now() from generate_series(1, 12000) as n;
         select setval('event_log_position_seq', {last} + 12000)"
        ))
        .await;
    world.is_well(&[]);
    world.analytics().execute("truncate table events_raw");
    world.analytics().execute("truncate table events_aggregated");
    world.execute("update feed_ranges set content_hash = 1 where events = 0 and first_position % 2 = 0").await;
    world.is_well(&["--repair"]);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_service_it_gets_the_lease_and_gives_it_back() {
    let (world, ranges) = three_months().await;
    let mut csr = Csr::new();
    let service = world.start(&[]);
    let holder = "select count(*) from feed_leases where name = 'feed' and expires_at > now()";
    world.reaches(holder, |held| held == 1);
    for (fed, (_, statements, ..)) in (28..).zip(&DAMAGES[..2]) {
        let epoch = world.number("select epoch from feed_leases where name = 'feed'").await;
        damage(&world, statements, ranges[1]);
        world.is_well(&["--repair"]);
        let nobody = "select count(*) from feed_leases where wanted_by is not null";
        assert_eq!(world.number(nobody).await, 0, "whoever has what they wanted wants it no more");
        world.publish_events(&[happened(&mut csr, "2026-06-20T00:00:00Z")]).await;
        eventually("the service to go on", || {
            (world.analytics().number("select count() from events_raw") == fed).then_some(())
        });
        assert!(world.number("select epoch from feed_leases where name = 'feed'").await >= epoch + 2);
    }
    service.readiness(200);
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    world.is_well(&[]);
    world.is_all_there().await;
}
