//! Whether the service is making progress, as readiness tells it.
//!
//! Each part reports its own troubles; the service is ready when no part has one, and either nothing is to be
//! done or something was done lately. A process that is up and stands still is not ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// With messages waiting in the stream, a commit must come within this time.
const PROGRESS_SECONDS_MAX: u64 = 15;

/// The shared state of all parts.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    troubles: DashMap<String, String>,
    notes: DashMap<String, String>,
    progress: std::sync::Mutex<Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    started: bool,
    lag_messages: u64,
    at: Instant,
}

impl Default for Inner {
    fn default() -> Self {
        let progress = Progress { started: false, lag_messages: 0, at: Instant::now() };
        Self { troubles: DashMap::new(), notes: DashMap::new(), progress: std::sync::Mutex::new(progress) }
    }
}

impl Health {
    /// A part cannot do its work.
    pub fn trouble(&self, part: &str, what: impl Into<String>) {
        self.0.troubles.insert(part.to_owned(), what.into());
    }

    /// A part works; true when it had not before.
    pub fn well(&self, part: &str) -> bool {
        self.0.troubles.remove(part).is_some()
    }

    /// A part cannot do its work, and nothing else depends on it: the service is ready, and says so.
    pub fn note(&self, part: &str, what: impl Into<String>) {
        self.0.notes.insert(part.to_owned(), what.into());
    }

    /// A part of which something was noted works.
    pub fn fine(&self, part: &str) {
        self.0.notes.remove(part);
    }

    /// What is degraded, although the service is ready.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.0.notes.iter().map(|entry| format!("{}: {}", entry.key(), entry.value())).collect();
        notes.sort();
        notes
    }

    /// Everything is set up.
    pub fn started(&self) {
        self.update(|progress| progress.started = true);
    }

    /// A batch was committed.
    pub fn committed(&self) {
        self.update(|progress| progress.at = Instant::now());
    }

    /// So many messages are to be handled; none is progress too.
    pub fn lag(&self, messages: u64) {
        self.update(|progress| {
            progress.lag_messages = messages;
            if messages == 0 {
                progress.at = Instant::now();
            }
        });
    }

    /// Why the service is not ready; empty when it is.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> =
            self.0.troubles.iter().map(|entry| format!("{}: {}", entry.key(), entry.value())).collect();
        complaints.sort();
        let progress = *self.0.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !progress.started {
            complaints.push("starting".to_owned());
        }
        let stalled = progress.at.elapsed() > Duration::from_secs(PROGRESS_SECONDS_MAX);
        if progress.started && progress.lag_messages > 0 && stalled {
            let seconds = progress.at.elapsed().as_secs();
            complaints.push(format!("{} messages to handle, none committed for {seconds} s", progress.lag_messages));
        }
        complaints
    }

    fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.0.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_started_and_without_trouble() {
        let health = Health::default();
        assert_eq!(health.complaints(), ["starting"]);
        health.started();
        health.lag(5);
        assert!(health.complaints().is_empty());
        health.trouble("worker 1", "no answer");
        assert_eq!(health.complaints(), ["worker 1: no answer"]);
        health.well("worker 1");
        assert!(health.complaints().is_empty());
    }
}
