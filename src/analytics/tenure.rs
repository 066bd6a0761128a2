//! Our time as the one who writes to ClickHouse: as long as the lease is renewed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::sink::{self, Sink};
use crate::store::{Connection, Error, LEASE_SECONDS, Lease};

/// The lease of who writes to the tables that are read.
pub const FEED: &str = "feed";
/// The lease of who builds the next generation of tables.
pub const REBUILD: &str = "rebuild";
/// How often the lease is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);

/// The longest that an insert may take. Shorter than the lease: whoever takes over finds it ended.
pub const INSERT_SECONDS_MAX: u64 = 8;
/// What must be left of the lease to begin a statement that changes what is read: it only changes names and parts.
const ENOUGH: Duration = Duration::from_secs(5);
/// What is left of the lease when such a statement is given up: it has ended before somebody else begins.
const MARGIN: Duration = Duration::from_secs(1);

/// How often somebody who demands a lease asks for it.
const DEMAND_EVERY: Duration = Duration::from_millis(200);

/// A lease that we hold.
#[derive(Debug)]
pub struct Tenure {
    /// Which lease.
    pub name: &'static str,
    holder: Uuid,
    /// Under which epoch.
    pub epoch: i64,
    until: Mutex<Instant>,
    /// Whether a statement may still be carried out of which we heard nothing.
    is_in_doubt: AtomicBool,
}

/// How a renewal went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It is ours.
    Held,
    /// It is ours, and somebody else needs it for a moment.
    Wanted,
    /// It is another's.
    Lost,
}

impl Tenure {
    /// Takes a lease, if nobody has it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn begin(
        connection: &mut Connection,
        name: &'static str,
        is_urgent: bool,
    ) -> Result<Option<Self>, Error> {
        Self::begin_as(Uuid::new_v4(), connection, name, is_urgent).await
    }

    async fn begin_as(
        holder: Uuid,
        connection: &mut Connection,
        name: &'static str,
        is_urgent: bool,
    ) -> Result<Option<Self>, Error> {
        let asked = Instant::now();
        Ok(match connection.lease(name, holder, is_urgent).await? {
            Lease::Held { epoch, .. } => {
                Some(Self { name, holder, epoch, until: Mutex::new(end(asked)), is_in_doubt: AtomicBool::new(false) })
            }
            Lease::Elsewhere => None,
        })
    }

    /// Takes a lease from whoever has it: asks for it, and waits until it is let go of or ends.
    ///
    /// # Errors
    /// As the database says; [`super::Error::Elsewhere`] when it was not let go of in time.
    pub async fn demand(connection: &mut Connection, name: &'static str) -> Result<Self, super::Error> {
        let deadline = Instant::now() + Duration::from_secs(3 * LEASE_SECONDS);
        // One name for all tries: whoever gets what they wanted must be known as the one who wanted it.
        let holder = Uuid::new_v4();
        while Instant::now() < deadline {
            if let Some(tenure) = Self::begin_as(holder, connection, name, true).await? {
                return Ok(tenure);
            }
            tokio::time::sleep(DEMAND_EVERY).await;
        }
        Err(super::Error::Elsewhere)
    }

    /// Does something under the lease, which is renewed on a connection of its own meanwhile, and gives it back.
    ///
    /// # Errors
    /// Those of what is done; [`super::Error::Elsewhere`] when the lease was lost on the way.
    pub async fn during<T>(
        &self,
        connection: &mut Connection,
        work: impl Future<Output = Result<T, super::Error>>,
    ) -> Result<T, super::Error> {
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                if self.renew(connection).await? == Renewed::Lost {
                    return Err(super::Error::Elsewhere);
                }
            }
        };
        let done = tokio::select! {
            lost = renewing => lost,
            done = work => done,
        };
        self.end(connection).await?;
        done
    }

    /// Renews it.
    ///
    /// # Errors
    /// As the database says; the lease runs on until its end.
    pub async fn renew(&self, connection: &mut Connection) -> Result<Renewed, Error> {
        let asked = Instant::now();
        Ok(match connection.lease(self.name, self.holder, false).await? {
            Lease::Held { epoch, is_wanted } if epoch == self.epoch => {
                *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = end(asked);
                if is_wanted { Renewed::Wanted } else { Renewed::Held }
            }
            Lease::Held { .. } | Lease::Elsewhere => Renewed::Lost,
        })
    }

    /// Gives it back; not so while a statement may still be carried out: then it ends by itself.
    ///
    /// # Errors
    /// As the database says; it then ends by itself.
    pub async fn end(&self, connection: &mut Connection) -> Result<(), Error> {
        match self.is_in_doubt.load(Ordering::Relaxed) {
            true => Ok(()),
            false => connection.release_lease(self.name, self.holder).await,
        }
    }

    /// One statement that changes what is read: not begun without the lease, and given up before it ends. So whoever was
    /// stopped for longer does not undo what another has done since.
    ///
    /// # Errors
    /// [`super::Error::NoTime`] when the lease is nearly over; those of the statement.
    pub async fn fenced<T>(
        &self,
        sink: &Sink,
        statement: impl AsyncFnOnce(Sink) -> Result<T, sink::Error>,
    ) -> Result<T, super::Error> {
        let left = self.left();
        if left < ENOUGH {
            return Err(super::Error::NoTime);
        }
        let was_in_doubt = self.is_in_doubt.swap(true, Ordering::Relaxed);
        let done = statement(sink.clone().with_deadline(left.saturating_sub(MARGIN))).await;
        if !matches!(done, Err(sink::Error::Silent { .. } | sink::Error::Unavailable { .. })) {
            self.is_in_doubt.store(was_in_doubt, Ordering::Relaxed);
        }
        Ok(done?)
    }

    /// The sink for one insert, which is ended before our lease is.
    ///
    /// # Errors
    /// [`super::Error::NoTime`] when the lease is nearly over.
    pub fn for_insert(&self, sink: &Sink) -> Result<Sink, super::Error> {
        let longest = Duration::from_secs(INSERT_SECONDS_MAX);
        match self.left() < longest {
            true => Err(super::Error::NoTime),
            false => Ok(sink.clone().with_deadline(longest)),
        }
    }

    /// What is left of it, if it is not renewed.
    fn left(&self) -> Duration {
        self.until().saturating_duration_since(Instant::now())
    }

    /// When it ends, by our clock, if it is not renewed. Counted from before we asked: never later than by Postgres's.
    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn end(asked: Instant) -> Instant {
    asked + Duration::from_secs(LEASE_SECONDS)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::sink::Settings;

    fn held_for(left: Duration) -> (Tenure, Sink) {
        let until = Mutex::new(Instant::now() + left);
        let (holder, is_in_doubt) = (Uuid::nil(), AtomicBool::new(false));
        let url = "http://127.0.0.1:9".to_owned();
        let settings = Settings { url, user: None, password: None, database: "x".to_owned(), cluster: None };
        (Tenure { name: FEED, holder, epoch: 1, until, is_in_doubt }, Sink::new(&settings).expect("an address"))
    }

    #[tokio::test]
    async fn nothing_is_changed_when_the_lease_is_nearly_over() {
        let (tenure, sink) = held_for(ENOUGH - MARGIN);
        let done = tenure.fenced(&sink, async |_| -> Result<(), sink::Error> { panic!("it was begun") }).await;
        assert!(matches!(done, Err(crate::analytics::Error::NoTime)), "{done:?}");
        assert!(matches!(tenure.for_insert(&sink), Err(crate::analytics::Error::NoTime)));
    }

    #[tokio::test]
    async fn a_lease_is_kept_while_a_statement_may_still_be_carried_out() {
        let (tenure, sink) = held_for(Duration::from_secs(LEASE_SECONDS));
        tenure.fenced(&sink, async |_| Ok(())).await.expect("nothing is wrong");
        assert!(!tenure.is_in_doubt.load(Ordering::Relaxed));
        let silent = || sink::Error::Silent { attempted: "exchange".to_owned(), seconds: 9 };
        let done = tenure.fenced(&sink, async |_| -> Result<(), sink::Error> { Err(silent()) }).await;
        assert!(done.is_err() && tenure.is_in_doubt.load(Ordering::Relaxed));
        tenure.fenced(&sink, async |_| Ok(())).await.expect("nothing is wrong");
        assert!(tenure.is_in_doubt.load(Ordering::Relaxed), "another one says nothing about that one");
        let (tenure, sink) = held_for(Duration::from_secs(LEASE_SECONDS));
        let mut forgotten = Box::pin(tenure.fenced(&sink, async |_| std::future::pending::<Result<(), _>>().await));
        assert!(forgotten.as_mut().now_or_never().is_none());
        drop(forgotten);
        assert!(tenure.is_in_doubt.load(Ordering::Relaxed), "also of one that was dropped on its way");
    }
}
