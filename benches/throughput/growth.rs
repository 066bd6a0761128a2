//! What a commit costs as the store grows: the same log, drained beside a store of one size and of ten times that.

use crate::knob;
use crate::stage::{Parts, Stage};

/// Prints the cost of an event by the size of the store, with claims kept and with claims that shrank to ids.
pub(crate) fn print() {
    let (events, stored) = (knob("GROWTH_EVENTS", "20000")[0], knob("STORED", "20000,200000"));
    println!("\ncost of an event beside older ones in earlier months, one worker, batches of 1000, {events} events");
    println!("{:>10} {:>10} {:>12} {:>16}", "stored", "claims", "postgres us", "ratio to first");
    for (claims, table) in [("kept", "event_deduplication"), ("pruned", "event_ids")] {
        let mut first = None;
        for stored in &stored {
            let stage = Stage::new(Parts::Spine);
            stage.fill(*stored, table);
            let drain = stage.drain(events, 1, 1000);
            let ratio = drain.postgres_micros / *first.get_or_insert(drain.postgres_micros);
            println!("{stored:>10} {claims:>10} {:>12.1} {ratio:>16.2}", drain.postgres_micros);
        }
    }
}
