//! The whole: events with duplicates and disorder, with everything dying at random moments.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::exact::assert_exact;
use super::{BEHIND, FED, UNFED};
use crate::support::{ClickHouse, Engine, Running, World, chance, seeds};

/// Times that a feeding process is killed.
const KILLS: usize = 20;
/// In every so manieth round the engine is killed too.
const ENGINE_EVERY: usize = 4;

/// How many different events; MILEPOST_FEED_EVENTS says otherwise.
fn events() -> usize {
    std::env::var("MILEPOST_FEED_EVENTS").map_or(3000, |events| events.parse().expect("a number of events"))
}

/// A moment that has nothing to do with what the process is at.
fn any_moment(world: &World, chance: &mut StdRng) {
    let stored = "select count(*) from event_log";
    match chance.random_range(0..4) {
        // Sealed and not marked; or it was quick, and all is.
        0 => world.reaches(&format!("select greatest(({UNFED}), (({BEHIND}) = 0)::int)"), |either| either > 0),
        // Sealed a second time; or it was few, and all is.
        1 => world.reaches(
            &format!("select greatest((select count(*) - 1 from feed_ranges), (({BEHIND}) = 0)::int)"),
            |either| either > 0,
        ),
        2 => world
            .reaches(&format!("select ({FED}) * 10 - ({stored}) * {}", chance.random_range(1..9)), |ahead| ahead >= 0),
        _ => world.reaches(stored, |stored| stored > 0),
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_clickhouse_holds_each_event_once() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        let mut engine = Engine::start();
        let world = World::with_clickhouse(ClickHouse::on(&engine.url())).await;
        let (count, text) = (events().to_string(), seed.to_string());
        let more = ["--duplicates", "0.1", "--shuffle", "0.1", "--seed", &text];
        let log = world.generate(&[&["--events", &count][..], &more].concat());
        let project = world.start(&["--only", "project", "--workers", "2"]);
        let mut half_fed = 0;
        for (round, slice) in log.chunks(log.len().div_ceil(KILLS)).enumerate() {
            world.publish(slice).await;
            let feeders: Vec<Running> = (0..chance.random_range(1..=2)).map(|_| world.feeder()).collect();
            any_moment(&world, &mut chance);
            if round % ENGINE_EVERY == ENGINE_EVERY - 1 {
                engine.kill();
                engine.start_again();
            }
            feeders.into_iter().for_each(Running::kill);
            half_fed += world.number(UNFED).await.signum();
            world.end_lease().await;
        }
        assert!(half_fed > 0, "none of {KILLS} kills left a range that was sealed and not marked");
        // What is left of the log, however much that is, by a process that nothing has a deadline for.
        project.signal("TERM");
        assert_eq!(project.wait().0, Some(0));
        world.drain(&["--workers", "2"]);
        world.finish_feed();
        assert_eq!(world.number(BEHIND).await, 0);
        assert_eq!(world.raw_rows(), i64::try_from(events()).expect("a number"));
        assert_exact(&world).await;
        deleted_and_doubled_by_hand(&world);
        assert_exact(&world).await;
    }
}

/// `prove` finds a row that is gone, and one that is there twice.
#[track_caller]
fn deleted_and_doubled_by_hand(world: &World) {
    let one = world.analytics().number("select position from events_raw order by cityHash64(position) limit 1");
    for harm in [
        format!("delete from events_raw where position = {one}"),
        format!("insert into events_raw select * from events_raw where position = {one}"),
    ] {
        world.analytics().execute(&harm);
        let output = world.output(&["prove", "--json"]);
        assert_eq!(output.status.code(), Some(1), "after {harm}");
        let proof: Value = serde_json::from_slice(&output.stdout).expect("a proof");
        let [first, last] = [0, 1].map(|end| proof["analytics"]["differing"][0][end].as_i64().expect("a position"));
        assert!((first..=last).contains(&one), "{one} is in the range that is named: {proof}");
        world.succeed(&["prove", "--repair"]);
    }
}
