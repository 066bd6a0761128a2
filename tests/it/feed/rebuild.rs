//! A new generation: built beside the one that is read, exchanged, gone back to, dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::proof::{DAMAGES, damage, happened, ranges, three_months};
use crate::support::{Csr, World, eventually};

/// Generations and their states, as Postgres has them.
async fn generations(world: &World) -> Vec<String> {
    let rows = world.rows("select generation || ' ' || state as one from feed_generations order by generation").await;
    rows.iter().map(|row| row["one"].as_str().expect("a text").to_owned()).collect()
}

/// Tables in ClickHouse with the generation that each says it is of.
fn tables(world: &World) -> Vec<String> {
    world.analytics().lines(
        "select concat(name, ' ', replaceOne(comment, 'generation ', '')) from system.tables
         where database = currentDatabase() and name like 'events%' and engine <> 'MaterializedView' order by name",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_built_exchanged_gone_back_to_and_dropped() {
    let (world, before) = three_months().await;
    let mut csr = Csr::new();
    let (content, first_raw) = (
        world.content("events_raw"),
        world.analytics().lines("select position, event_id from events_raw order by all"),
    );
    let said = world.succeed(&["rebuild", "analytics"]);
    assert!(said.contains("generation 2: 27 events") && said.contains("--drop-previous"), "{said}");
    assert_eq!(generations(&world).await, ["1 previous", "2 current"]);
    let both = ["events_aggregated 2", "events_aggregated_previous 1", "events_raw 2", "events_raw_previous 1"];
    assert_eq!(tables(&world), both);
    for table in ["events_raw", "events_raw_previous"] {
        assert_eq!(world.content(table), content, "{table}");
    }
    assert_eq!(world.analytics().lines("select position, event_id from events_raw order by all"), first_raw);
    assert_ne!(ranges(&world).await, before, "ranges of its own");
    world.is_well(&[]);

    // The feed goes on in the new one, sums included, and not in the one before.
    world.carry(&[happened(&mut csr, "2026-06-05T10:00:00Z")]).await;
    assert_eq!(world.is_well(&[])["rows"], 28);
    world.is_all_there().await;
    assert_eq!(world.content("events_raw_previous"), content);

    let said = world.succeed(&["rebuild", "analytics", "--rollback"]);
    assert!(said.contains("generation 1 is read again"), "{said}");
    assert_eq!(generations(&world).await, ["1 current", "2 previous"]);
    assert_eq!(world.content("events_raw"), content);
    assert_eq!(world.is_well(&[])["unfed"], 1);
    world.feed();
    world.is_well(&[]);
    world.is_all_there().await;
    assert_eq!(world.content("events_raw_previous"), world.content("events_raw"));
    world.succeed(&["rebuild", "analytics", "--rollback"]);
    assert_eq!(
        (generations(&world).await, tables(&world)),
        (vec!["1 previous".to_owned(), "2 current".to_owned()], both.map(str::to_owned).to_vec())
    );
    world.carry(&[happened(&mut csr, "2026-06-05T10:00:00Z")]).await;
    world.is_well(&[]);

    assert!(world.succeed(&["rebuild", "analytics", "--drop-previous"]).contains("dropped"));
    assert_eq!(tables(&world), ["events_aggregated 2", "events_raw 2"]);
    assert_eq!(world.number("select count(*) from feed_ranges where generation = 1").await, 0);
    assert!(world.succeed(&["rebuild", "analytics", "--drop-previous"]).contains("nothing to drop"));
    let refused = world.output(&["rebuild", "analytics", "--rollback"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("no previous generation"), "{said}");
    world.succeed(&["rebuild", "analytics"]);
    world.succeed(&["rebuild", "analytics"]);
    assert_eq!(generations(&world).await, ["1 dropped", "2 dropped", "3 previous", "4 current"]);
    assert_eq!(world.number("select count(distinct generation) from feed_ranges").await, 2);
    world.is_well(&[]);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_told_and_nothing_is_exchanged() {
    let (world, ranges) = three_months().await;
    let said = world.succeed(&["rebuild", "analytics", "--diff"]);
    assert!(said.contains("0 rows only there, 0 only in the new one, 0 different\n"), "{said}");
    assert!(said.contains("not exchanged"), "{said}");
    assert_eq!(generations(&world).await, ["1 current", "2 building"]);
    for (number, told) in [(0, "0 rows only there, 1 only"), (1, "1 different"), (2, "1 different")] {
        damage(&world, DAMAGES[number].1, ranges[1]);
        let output = world.output(&["rebuild", "analytics", "--diff"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && said.contains(told), "{said}");
        assert!(said.contains(&format!("positions {}", ranges[1].0)), "{said}");
        world.is_well(&["--repair"]);
    }
    world.succeed(&["rebuild", "analytics", "--diff"]);
    let said = world.succeed(&["rebuild", "analytics", "--diff", "--swap"]);
    assert!(said.contains("what is read now"), "{said}");
    assert_eq!(generations(&world).await, ["1 previous", "2 current"]);
    world.is_well(&[]);
    world.is_all_there().await;
}

/// An event that was fed into the next generation while it was being built, and then turned out to be none.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_since_a_generation_was_begun_is_not_in_it() {
    let (world, ranges) = three_months().await;
    world.succeed(&["rebuild", "analytics", "--diff"]);
    let withdraw =
        format!("select event_log_withdraw(array[{0}]); delete from waiting_events where position = {0}", ranges[1].0);
    world.execute(&withdraw).await;
    world.feed();
    world.is_all_there().await;
    world.succeed(&["rebuild", "analytics", "--swap"]);
    world.adds_up(&[]);
    world.is_all_there().await;
    // The same in the generation that is gone back to.
    let withdraw =
        format!("select event_log_withdraw(array[{0}]); delete from waiting_events where position = {0}", ranges[2].0);
    world.execute(&withdraw).await;
    world.feed();
    world.succeed(&["rebuild", "analytics", "--rollback"]);
    world.feed();
    world.is_all_there().await;
    world.adds_up(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_a_complete_table_all_the_time_and_events_go_on_arriving() {
    let world = World::fed().await;
    let log = world.generate(&["--events", "3000", "--people", "150", "--seed", "11"]);
    let (half, rest) = log.split_at(log.len() / 2);
    world.publish(half).await;
    let service = world.start(&["--batch", "50"]);
    world.reaches("select coalesce(sum(events), 0) from feed_ranges where fed_at is not null", |fed| fed > 0);
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let reading = {
        let (is_over, seen, url, database) = (
            Arc::clone(&is_over),
            Arc::clone(&seen),
            world.analytics().url.clone(),
            world.analytics().database.clone(),
        );
        std::thread::spawn(move || {
            let reader = std::mem::ManuallyDrop::new(crate::support::ClickHouse { url, database });
            while !is_over.load(Ordering::SeqCst) {
                let raw = reader.number("select count() from events_raw");
                let sums = reader.number("select sum(events) from events_aggregated");
                seen.lock().expect("a list").push((raw, sums));
            }
        })
    };
    for some in rest.chunks(rest.len().div_ceil(4)) {
        world.publish(some).await;
        world.succeed(&["rebuild", "analytics"]);
    }
    let all = world.number("select count(*) from event_log").await;
    eventually("everything to be fed", || {
        (world.analytics().number("select count() from events_raw") >= all).then_some(())
    });
    is_over.store(true, Ordering::SeqCst);
    reading.join().expect("every look was answered");
    let seen = seen.lock().expect("a list").clone();
    assert!(seen.len() > 10, "{}", seen.len());
    assert!(seen.windows(2).all(|two| two[0].0 <= two[1].0 && two[0].1 <= two[1].1), "{seen:?}");
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    world.drain(&[]);
    world.feed();
    assert_eq!(world.is_well(&[])["generation"], 5);
    world.is_all_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_time_is_rebuilt_in_place() {
    let (world, ranges) = three_months().await;
    let content = world.content("events_raw");
    for (arguments, told) in [
        (
            &["--since", "2026-06-01T00:00:00Z", "--until", "2026-07-01T00:00:00Z"][..],
            "replaced 1 ranges in 1 partitions: 202606",
        ),
        (&["--since", "2026-06-09T10:00:00Z"], "replaced 2 ranges in 2 partitions: 202606, 202607"),
        (&["--since", "2026-06-09T10:00:00.000001Z"], "replaced 1 ranges in 1 partitions: 202607"),
        (&["--until", "2026-05-01T10:00:00Z"], "replaced 0 ranges in 0 partitions"),
        (&["--until", "2026-05-01T10:00:00.000001Z"], "replaced 1 ranges in 1 partitions: 202605"),
    ] {
        let said = world.succeed(&[&["rebuild", "analytics"], arguments].concat());
        assert!(said.contains(told), "{arguments:?}: {said}");
        assert_eq!(world.content("events_raw"), content);
        world.is_well(&[]);
    }
    assert_eq!(generations(&world).await, ["1 current"], "in place");
    // What the store says differently now, and so the sums.
    world
        .execute(&format!(
            "update event_log set payload = jsonb_set(payload::jsonb, '{{data,rating}}', '0.25')
        where position = {}",
            ranges[1].0
        ))
        .await;
    assert_eq!(world.content("events_raw"), content);
    world.succeed(&["rebuild", "analytics", "--since", "2026-06-01T00:00:00Z", "--until", "2026-06-02T00:00:00Z"]);
    assert_eq!(
        world.analytics().lines("select position, rating from events_raw where rating <> 0.5"),
        [format!("{}\t0.25", ranges[1].0)]
    );
    world.is_well(&[]);
    world.is_all_there().await;
    let wrong = world.output(&["rebuild", "analytics", "--since", "2026-06-01T00:00:00Z", "--diff"]);
    assert_eq!(json!(wrong.status.code()), json!(2));
}
