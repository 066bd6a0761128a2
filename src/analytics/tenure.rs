//! Our time as the one who writes to ClickHouse: as long as the lease is renewed.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::store::{Connection, Error, LEASE_SECONDS, Lease};

/// The lease of who writes to the tables that are read.
pub const FEED: &str = "feed";
/// The lease of who builds the next generation of tables.
pub const REBUILD: &str = "rebuild";
/// How often the lease is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);

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
            Lease::Held { epoch, .. } => Some(Self { name, holder, epoch, until: Mutex::new(end(asked)) }),
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

    /// Gives it back.
    ///
    /// # Errors
    /// As the database says; it then ends by itself.
    pub async fn end(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.release_lease(self.name, self.holder).await
    }

    /// When it ends, by our clock, if it is not renewed. Counted from before we asked: never later than by Postgres's.
    #[must_use]
    pub fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn end(asked: Instant) -> Instant {
    asked + Duration::from_secs(LEASE_SECONDS)
}
