//! The lease: who may write to ClickHouse.

use uuid::Uuid;

use super::{ANSWER_SECONDS_MAX, Connection, Error, within};

/// How long a lease holds without being renewed. A holder that died is followed within this time.
pub(crate) const LEASE_SECONDS: u64 = 10;

/// What trying for a lease, or renewing it, led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// It is ours, under this epoch.
    Held {
        /// One more with each new holder.
        epoch: i64,
        /// Somebody else needs it for a moment.
        is_wanted: bool,
    },
    /// Somebody else has it.
    Elsewhere,
}

impl Connection {
    /// Takes the lease if nobody has it, or renews it. Somebody who wants it for a moment comes before others.
    pub(crate) async fn lease(&mut self, name: &str, holder: Uuid, is_urgent: bool) -> Result<Lease, Error> {
        let sql = "with taken as (
                 update feed_leases set
                     epoch = epoch + (holder is distinct from $1)::int, holder = $1,
                     expires_at = clock_timestamp() + make_interval(secs => $2),
                     wanted_by = nullif(wanted_by, $1)
                 where name = $4
                   and (holder = $1 and expires_at >= clock_timestamp()
                        or expires_at < clock_timestamp()
                           and ($3 or wanted_by is null or wanted_at < clock_timestamp() - make_interval(secs => $2)))
                 returning epoch, wanted_by is not null and wanted_at >= clock_timestamp() - make_interval(secs => $2)),
             wanted as (
                 update feed_leases set wanted_by = $1, wanted_at = clock_timestamp()
                 where name = $4 and $3 and not exists (select from taken))
             select * from taken";
        let taking = async {
            sqlx::query_as::<_, (i64, bool)>(sql)
                .bind(holder)
                .bind(f64::from(u32::try_from(LEASE_SECONDS).unwrap_or(u32::MAX)))
                .bind(is_urgent)
                .bind(name)
                .fetch_optional(&mut self.pg)
                .await
                .map_err(|error| Error::classify("take the lease of the feed", error))
        };
        let taken = within(LEASE_SECONDS / 2, "taking the lease of the feed", taking).await?;
        Ok(taken.map_or(Lease::Elsewhere, |(epoch, is_wanted)| Lease::Held { epoch, is_wanted }))
    }

    /// Gives the lease back, so that the next one need not wait.
    pub(crate) async fn release_lease(&mut self, name: &str, holder: Uuid) -> Result<(), Error> {
        let sql = "update feed_leases set expires_at = '-infinity', holder = null
                   where name = $2 and holder = $1";
        let releasing = async {
            sqlx::query(sql)
                .bind(holder)
                .bind(name)
                .execute(&mut self.pg)
                .await
                .map(|_| ())
                .map_err(|error| Error::classify("release the lease of the feed", error))
        };
        within(ANSWER_SECONDS_MAX, "releasing the lease of the feed", releasing).await
    }
}
