//! A halt: while it is called, nothing is taken from the stream, and nothing published to it.

use tokio::sync::watch;

/// Called by the one who audits, heeded by those who fetch and publish.
#[derive(Debug, Clone)]
pub(crate) struct Halt(watch::Sender<bool>);

impl Default for Halt {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Halt {
    /// Calls it, or lifts it; true when it was otherwise before.
    pub(crate) fn set(&self, is_called: bool) -> bool {
        self.0.send_replace(is_called) != is_called
    }

    /// Whether it is called.
    pub(crate) fn is_called(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is called.
    pub(crate) async fn called(&self) {
        drop(self.0.subscribe().wait_for(|is_called| *is_called).await);
    }

    /// Waits until it is lifted.
    pub(crate) async fn lifted(&self) {
        drop(self.0.subscribe().wait_for(|is_called| !*is_called).await);
    }
}
