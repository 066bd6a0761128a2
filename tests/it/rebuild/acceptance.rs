//! The whole: a log with duplicates and disorder, rebuilt without a difference.

use super::DISORDER;
use crate::support::World;

/// How many different events; MILEPOST_REBUILD_EVENTS says otherwise.
fn events() -> String {
    std::env::var("MILEPOST_REBUILD_EVENTS").unwrap_or_else(|_| "3000".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_everything_makes_no_difference() {
    let world = World::with_log(&[&["--events", &events()], &DISORDER[..]].concat()).await;
    let built = world.is_as_rebuilt();
    let applied = world.number("select count(*) from event_log where processed_at is not null").await;
    assert_eq!(built["events"], applied, "{built:#}");
    println!("{built}");
}
