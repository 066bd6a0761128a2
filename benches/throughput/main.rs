//! End to end on real servers: how fast a log is drained, what it costs, how late a commit is.
//!
//! Run by `make bench`, which starts the servers. Knobs are environment variables: `EVENTS` (60000), `BATCHES`
//! ("100,1000,5000"), `WORKERS` ("1,2"), `PACED` ("100,1000"), `SECONDS` (5). Every run checks its counts: a fast
//! wrong answer fails.

mod cpu;
mod proxy;
mod stage;

use stage::Stage;

fn knob(name: &str, default: &str) -> Vec<usize> {
    let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(|part| part.trim().parse().expect("a knob is a list of numbers")).collect()
}

fn main() {
    let events = knob("EVENTS", "60000")[0];
    println!("drain of {events} events, 5 % repeated, 5 % out of order; CPU in microseconds per event");
    println!("{:>8} {:>6} {:>10} {:>10} {:>10} {:>8}", "workers", "batch", "events/s", "milepost", "postgres", "nats");
    for workers in knob("WORKERS", "1,2") {
        for batch in knob("BATCHES", "100,1000,5000") {
            let drain = Stage::new().drain(events, workers, batch);
            println!(
                "{workers:>8} {batch:>6} {:>10.0} {:>10.1} {:>10.1} {:>8.1}",
                drain.rate, drain.milepost_micros, drain.postgres_micros, drain.nats_micros
            );
        }
    }
    println!("\nround trips to Postgres for one batch of a log with every type in it");
    println!("{:>8} {:>12}", "batch", "round trips");
    for (batch, events) in [(10, 2000), (100, 5000), (1000, 20_000), (5000, 20_000)] {
        println!("{batch:>8} {:>12.1}", Stage::new().round_trips(events, batch));
    }
    println!(
        "\npublication to commit at a steady rate, one worker (upper bounds of histogram buckets, oldest of each batch)"
    );
    println!("{:>8} {:>10} {:>10}", "events/s", "p50 ms", "p99 ms");
    let seconds = knob("SECONDS", "5")[0];
    for rate in knob("PACED", "100,1000") {
        let (median, tail) = Stage::new().latency(rate, seconds);
        println!("{rate:>8} {:>10.1} {:>10.1}", median * 1000.0, tail * 1000.0);
    }
}
