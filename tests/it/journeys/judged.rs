//! Whole logs, judged: whatever the order, the workers and the crashes, the tables say what the naive judge says.

use chrono::Utc;
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use crate::oracle::Oracle;
use crate::support::{HANDLED, Running, World, chance, seeds};

type Messages = Vec<(String, Vec<u8>)>;

/// A log with all troubles that a log can have. MILEPOST_JUDGED_EVENTS makes it longer.
fn log(world: &World, seed: u64) -> Messages {
    let events = std::env::var("MILEPOST_JUDGED_EVENTS").unwrap_or_else(|_| "3000".to_owned());
    let people = (events.parse::<u64>().expect("MILEPOST_JUDGED_EVENTS is a number") / 12).to_string();
    let (seed, size) = (seed.to_string(), ["--events", &events, "--people", &people]);
    let troubles = ["--duplicates", "0.1", "--shuffle", "0.2", "--retellings", "0.01", "--seed", &seed];
    world.generate(&[&size[..], &troubles].concat())
}

/// The log ends months ago: nobody's flags change while this looks.
async fn judge(world: &World, oracle: &Oracle) {
    oracle.expected(Utc::now()).compare(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_logs_give_what_the_judge_says_in_any_order_and_with_any_workers() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        for (is_shuffled, workers) in [(false, "1"), (false, "4"), (true, "1"), (true, "4")] {
            eprintln!("shuffled: {is_shuffled}, {workers} workers");
            let world = World::new().await;
            let mut log = log(&world, seed);
            let oracle = Oracle::read(log.iter().map(|(_, line)| line));
            if is_shuffled {
                log.shuffle(&mut chance);
            }
            world.publish(&log).await;
            let batch = chance.random_range(20..400).to_string();
            let summary = world.drain(&["--workers", workers, "--batch", &batch]);
            assert_eq!((&summary["waiting_total"], &summary["dead_letters"]), (&0.into(), &0.into()), "{summary}");
            judge(&world, &oracle).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_flight_it_gives_what_the_judge_says() {
    for seed in seeds(1) {
        let mut chance = chance(seed);
        let world = World::with_setting("ack_wait = \"60s\"", "ack_wait = \"1s\"").await;
        let log = log(&world, seed + 100);
        let oracle = Oracle::read(log.iter().map(|(_, line)| line));
        world.publish(&log).await;
        let messages = i64::try_from(log.len()).expect("a number");
        for kill in 1..=6 {
            let batch = chance.random_range(5..80).to_string();
            let processes = [(); 2].map(|()| world.start(&["--workers", "2", "--batch", &batch, "--only", "project"]));
            let until = messages * kill / 8 + chance.random_range(0..messages / 16);
            world.reaches(HANDLED, |handled| handled >= until);
            processes.into_iter().for_each(Running::kill);
        }
        let summary = world.drain(&["--workers", "2"]);
        assert_eq!(summary["waiting_total"], 0, "{summary}");
        judge(&world, &oracle).await;
        assert_eq!(world.prove()["received"], messages);
    }
}
