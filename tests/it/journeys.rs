//! What events mean for people: flags and milestones, the passing of time, what is told to the outside, and rules that
//! change. All of it through the real binary; the judge of what is right is `oracle`.

mod apply; // new rules while the service runs
mod candidate; // other rules
mod crowd; // thousands of timers due at once
mod explain; // why a flag is as it is
mod faults; // of journey.toml
mod holding; // each flag in small histories around now
mod judged; // whole logs, in any order and through crashes
mod life; // events with times of a test's own
mod outbox; // what is told to the outside
mod plan; // what applying would do
mod relay; // killed at any moment, and several at once
mod timers; // flags that change although nothing happens
pub(crate) mod told; // reading the stream as a listener does
