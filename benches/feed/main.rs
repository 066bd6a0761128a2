//! The feed into ClickHouse on real servers: how fast a store that is there is carried, in how much memory, and whether
//! Postgres notices that ClickHouse is away.
//!
//! Run by `make bench`, which starts the servers. Knobs are environment variables: `FEED_EVENTS` (1000000), `PAIRS` (3),
//! `PAIR_EVENTS` (20000). Every run checks its counts: a fast wrong answer fails.

#[path = "../throughput/cpu.rs"]
mod cpu;
mod place;

use place::{ClickHouse, Place};

fn knob(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a knob is a number"))
}

fn main() {
    let events = knob("FEED_EVENTS", 1_000_000);
    let place = Place::new();
    place.fill(events);
    let feed = place.feed(events);
    println!("feeding a store of {events} events: {:.0} events/s, {:.1} s", feed.rate, feed.seconds);
    println!(
        "  CPU per event: milepost {:.1}, postgres {:.1}, all together {:.1} microseconds; milepost's memory at most {:.0} MB",
        feed.milepost_micros, feed.postgres_micros, feed.all_micros, feed.peak_megabytes
    );
    println!("  {}", place.succeed(&["prove"]).lines().last().unwrap_or_default());
    drop(place);

    let (pairs, events) = (knob("PAIRS", 3), knob("PAIR_EVENTS", 20_000));
    println!("\ncommitting {events} events while ClickHouse is there, and while it is away");
    println!("{:>6} {:>12} {:>12} {:>14}", "pair", "there ev/s", "away ev/s", "away to there");
    for pair in 1..=pairs {
        let [there, away] =
            [ClickHouse::There, ClickHouse::Away].map(|clickhouse| Place::new().commit(events, clickhouse));
        println!("{pair:>6} {there:>12.0} {away:>12.0} {:>14.2}", away / there);
    }
}
