//! Promise 3: equal sets of events give equal tables, in whatever order, batches and number of workers they come.

use rand::Rng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use serde_json::json;

use crate::support::{Csr, World, assert_same, chance, seeds};

const LOG: [&str; 4] = ["--events", "600", "--people", "12"];

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_the_same_events_gives_the_same_tables() {
    for seed in seeds(8) {
        let mut chance = chance(seed);
        let number = seed.to_string();
        let usual = World::new().await;
        let log = usual.generate(&[&LOG[..], &["--seed", &number]].concat());
        usual.publish(&log).await;
        let repeated = retellings();
        usual.publish(&repeated).await;
        let summary = usual.drain(&[]);
        assert_eq!((&summary["applied"], &summary["waiting"]), (&612.into(), &0.into()), "{summary}");
        let expected = usual.dump().await;
        assert!(expected["identity_conflicts"].is_empty(), "promise 3 does not speak of contradictions");

        let world = World::new().await;
        let mut log = world.generate(&[&LOG[..], &["--seed", &number, "--duplicates", "0.3"]].concat());
        assert_eq!(log.len(), 780, "600 events, 180 of them repeated, half of these in another spelling");
        log.extend(repeated);
        log.shuffle(&mut chance);
        let mut rest = &log[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chance.random_range(1..=rest.len().min(500)));
            rest = after;
            world.publish(chunk).await;
            let workers = chance.random_range(1..=4).to_string();
            let batch = [1, 7, 100, 1000].choose(&mut chance).expect("a size").to_string();
            eprintln!("{} messages, {workers} workers, batches of {batch}", chunk.len());
            world.drain(&["--workers", &workers, "--batch", &batch]);
        }
        assert_same(&expected, &world.dump().await);
        let proof = world.prove();
        assert_eq!((&proof["applied"], &proof["duplicates"]), (&612.into(), &180.into()), "{proof}");
        assert_eq!((&proof["waiting"], &proof["dead_letters"]), (&0.into(), &0.into()), "{proof}");
    }
}

/// What a generated log does not have: the same thing told several times, by events that differ.
fn retellings() -> Vec<(String, Vec<u8>)> {
    let mut csr = Csr::new();
    let (company, matched, participant, buddy) = (csr.id(), csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy), csr.matched(matched, participant, buddy)];
    for reason in ["completed", "inactivity", "other"] {
        events.push(csr.ended(matched, participant, buddy, reason));
    }
    for (name, industry) in [("First", Some("ships")), ("Second", Some("trains")), ("Third", None)] {
        let at = csr.tick();
        let data = json!({"companyId": company, "name": name, "industry": industry, "syncedAt": at});
        events.push(csr.event("company.synced", data));
    }
    for points in [3, 2, 1] {
        let reached_at = csr.tick();
        let data = json!({"milestoneId": 7, "userId": buddy, "milestoneTitle": "Steps", "milestoneCategory": "impact",
                          "reachedAt": reached_at, "points": points});
        events.push(csr.event("buddy.milestone.reached", data));
    }
    let message = |event: &serde_json::Value| {
        (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes())
    };
    events.iter().map(message).collect()
}
