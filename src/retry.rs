//! Waiting longer after each failure. The only file that knows the `backoff` crate.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Longest pause between two tries.
const PAUSE_SECONDS_MAX: u64 = 5;

/// A pause that grows with each failure, with jitter, and never gives up.
#[derive(Debug)]
pub struct Pause(ExponentialBackoff);

impl Default for Pause {
    fn default() -> Self {
        Self(ExponentialBackoff {
            initial_interval: Duration::from_millis(50),
            max_interval: Duration::from_secs(PAUSE_SECONDS_MAX),
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }
}

impl Pause {
    /// The next pause.
    pub fn longer(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(Duration::from_secs(PAUSE_SECONDS_MAX))
    }

    /// Something worked: begin with the shortest again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}
