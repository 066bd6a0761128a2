//! What live traffic feels of a replay: how late its commits are alone, beside a replay, and from the replay's end on.

use crate::knob;
use crate::stage::{Parts, Stage};

/// Prints the latencies of live traffic around a replay from each source.
pub(crate) fn print() {
    let [events, rate, seconds] =
        [("REPLAY_EVENTS", "60000"), ("LIVE", "100"), ("SECONDS", "5")].map(|(name, default)| knob(name, default)[0]);
    println!(
        "\npublication to commit of {rate} live events/s around a replay of {events} events, as above; p50/p99 ms"
    );
    println!(
        "{:>8} {:>14} {:>18} {:>16} {:>14}",
        "from", "alone", "beside the replay", "after its end", "live beside it"
    );
    for from in ["file", "stream", "log"] {
        let phases = Stage::new(Parts::All).beside_replay(events, from, rate, seconds);
        let [alone, beside, after] = phases.each_ref().map(|latencies| {
            let [median, tail] = [0.5, 0.99].map(|share| latencies.quantile(share) * 1000.0);
            format!("{median:.1}/{tail:.1}")
        });
        println!("{from:>8} {alone:>14} {beside:>18} {after:>16} {:>14.0}", phases[1].count());
    }
}
