//! What is asked of a rebuild, and what it answers.

use serde::Serialize;

use super::Plan;
use crate::store;
use crate::store::rebuild::{Difference, Lacks};

/// Why tables were not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Somebody else rebuilds.
    #[error("another rebuild of these tables is running\n  hint: wait for it, or end it")]
    Rebuilding,
    /// It cannot be done as things are; nothing was changed.
    #[error("{0}")]
    Refused(String),
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which tables.
    pub plan: Plan,
    /// Compare with the live tables.
    pub is_compared: bool,
    /// Put in their place.
    pub is_swapped: bool,
    /// Show values of rows that differ: they may be personal.
    pub with_values: bool,
    /// Connections that fill tables.
    pub workers: usize,
}

/// What was done.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Built {
    /// Events that had their effect in the new generation.
    pub events: u64,
    /// Tables that were filled.
    pub tables: usize,
    /// Tables that were compared.
    pub compared: usize,
    /// Those that differ.
    pub differences: Vec<Difference>,
    /// Events that the live tables have the effect of, and the new generation has not.
    pub lacks: Lacks,
    /// Whether the new generation is in place.
    pub is_swapped: bool,
    /// Foreign keys whose rows refer to what is not in the new tables; they hold for new rows only.
    pub unvalidated: Vec<String>,
    /// How long batches were kept waiting, longest.
    pub alone_seconds: f64,
    /// How long all took.
    pub seconds: f64,
}

impl Built {
    /// Whether the new generation equals the live tables, as far as it was compared.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.lacks.events == 0
    }
}

/// Told of progress: events filled in since, and, now and then, how many positions there are.
pub trait Progress: Clone + Send + 'static {
    /// So many events more.
    fn filled(&self, events: u64);
    /// So many positions in all.
    fn total(&self, positions: u64);
    /// What is being done now.
    fn stage(&self, what: &'static str);
}
