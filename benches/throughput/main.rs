//! End to end on real servers: how fast a log is drained, what it costs, how late a commit is.
//!
//! Run by `make bench`, which starts the servers. Knobs are environment variables: `EVENTS` (60000), `BATCHES`
//! ("100,1000,5000"), `WORKERS` ("1,2"), `PACED` ("100,1000"), `SECONDS` (5), `STORED`
//! ("20000,200000"), `GROWTH_EVENTS` (20000), `REPLAY_EVENTS` (60000), `LIVE` (100); `ONLY=growth` and `ONLY=beside` run
//! that part alone. Every run checks its counts: a fast wrong answer fails.

mod beside;
mod cpu;
mod growth;
mod proxy;
mod service;
mod stage;

use stage::{Parts, Stage};

fn knob(name: &str, default: &str) -> Vec<usize> {
    let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(|part| part.trim().parse().expect("a knob is a list of numbers")).collect()
}

fn main() {
    match std::env::var("ONLY").as_deref() {
        Ok("growth") => return growth::print(),
        Ok("beside") => return beside::print(),
        _ => {}
    }
    let events = knob("EVENTS", "60000")[0];
    println!("drain of {events} events, 5 % repeated, 5 % out of order; CPU in microseconds per event");
    println!(
        "spine: without rules; journeys: with facts, flags, milestones; all: with the outbox, own messages included"
    );
    println!(
        "{:>8} {:>6} {:>9} {:>10} {:>10} {:>10} {:>8} {:>14}",
        "workers", "batch", "parts", "events/s", "milepost", "postgres", "nats", "rate to spine"
    );
    for workers in knob("WORKERS", "1,2") {
        for batch in knob("BATCHES", "100,1000,5000") {
            let mut spine = None;
            for parts in [Parts::Spine, Parts::Journeys, Parts::All] {
                let drain = Stage::new(parts).drain(events, workers, batch);
                let ratio = drain.rate / *spine.get_or_insert(drain.rate);
                println!(
                    "{workers:>8} {batch:>6} {:>9} {:>10.0} {:>10.1} {:>10.1} {:>8.1} {ratio:>14.2}",
                    parts.name(),
                    drain.rate,
                    drain.milepost_micros,
                    drain.postgres_micros,
                    drain.nats_micros
                );
            }
        }
    }
    println!("\nround trips to Postgres for one batch of a log with every type in it");
    println!("{:>8} {:>12} {:>14}", "batch", "spine", "with journeys");
    for (batch, events) in [(10, 2000), (100, 5000), (1000, 20_000), (5000, 20_000)] {
        let [spine, journeys] =
            [Parts::Spine, Parts::Journeys].map(|parts| Stage::new(parts).round_trips(events, batch));
        println!("{batch:>8} {spine:>12.1} {journeys:>14.1}");
    }
    println!(
        "\npublication to commit at a steady rate, one worker (upper bounds of histogram buckets, oldest of each batch)"
    );
    println!("{:>8} {:>10} {:>10}", "events/s", "p50 ms", "p99 ms");
    let seconds = knob("SECONDS", "5")[0];
    for rate in knob("PACED", "100,1000") {
        let (median, tail) = Stage::new(Parts::Journeys).latency(rate, seconds);
        println!("{rate:>8} {:>10.1} {:>10.1}", median * 1000.0, tail * 1000.0);
    }
    growth::print();
    beside::print();
}
