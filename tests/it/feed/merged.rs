//! Ranges that were fed a while ago become few.

use crate::support::{Csr, World};

const RANGES: &str = "select count(*) from feed_ranges";

#[tokio::test(flavor = "multi_thread")]
async fn old_ranges_are_merged_and_still_proved() {
    let world = World::fed().await;
    let mut csr = Csr::new();
    // Neighbours, then some beyond the next hundred thousand positions, then the newest ones far from both.
    for next in [1, 10, 20, 100_000, 100_010, 100_020, 400_000] {
        world.execute(&format!("select setval('event_log_position_seq', {next})")).await;
        world.commit_people(&mut csr, 3).await;
        world.feed();
    }
    assert_eq!(world.number(RANGES).await, 7);
    world.execute("update feed_ranges set fed_at = fed_at - interval '2 hours'").await;
    world.execute("update feed_ranges set fed_at = now() where first_position between 100005 and 100015").await;
    world.commit_people(&mut csr, 3).await;
    world.feed();
    // The first four (the fourth begins below 100,000), three that one of now stands between, the newest, and its next.
    assert_eq!(world.number(RANGES).await, 5);
    world.is_all_there().await;
    assert_eq!(world.is_well(&[])["rows"], 24);

    let sql = "alter table events_raw delete where position = 12 settings mutations_sync = 2";
    world.analytics().execute(sql);
    let (is_well, proof) = world.judged(&[]);
    assert!(!is_well && proof["differing"].as_array().is_some_and(|ranges| ranges.len() == 1), "{proof}");
    world.is_well(&["--repair"]);
    assert_eq!(world.is_well(&[])["rows"], 24);
}
