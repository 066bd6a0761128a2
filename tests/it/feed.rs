//! The feed into ClickHouse: each stored event is there once, and sums are those of what is there, whatever happens on
//! the way.

mod acceptance; // everything dies at random moments
mod carried; // what is on both sides, and an independent look at it
mod contents; // every column of every type
mod exact; // against a naive recomputation
mod faults; // requests that are cut, lost or answered with nonsense
mod holding; // a way to ClickHouse on which a statement is held
mod horizon; // commits that become visible out of order
mod independence; // without ClickHouse, with one that is away or not migrated
mod killed; // repairs and rebuilds that are killed
mod kills; // SIGKILL at every step from seal to mark
mod merged; // ranges that become few
mod mirrors; // rows that are carried whenever they change
mod odd; // texts, times and numbers at their ends
mod outage; // ClickHouse away, killed, silent
mod personal; // nothing personal leaves Postgres
mod proof; // what prove finds
mod rebuild; // generations
mod repair; // what is replaced, and what is not
mod takeover; // two feeders
mod trap; // a way to a server on which requests are stopped
mod trapped_http;
mod trapped_postgres;

use std::path::PathBuf;

use uuid::Uuid;

use crate::support::{ClickHouse, Csr, Running, World};
use trap::Trap;

/// Words of the requests that carry a range, in their order.
const SEAL: &str = "insert into feed_ranges";
const INSERT: &str = "insert_deduplication_token=events_raw";
const LOOK: &str = "xxh3";
const MARK: &str = "update feed_ranges set fed_at";

/// Ranges that are sealed and not marked.
const UNFED: &str = "select count(*) from feed_ranges where fed_at is null";
/// Events in ranges that are marked.
const FED: &str = "select coalesce(sum(events), 0) from feed_ranges where fed_at is not null";
/// Events that are stored and not in a marked range.
pub(crate) const BEHIND: &str = "select count(*) from event_log where position >
    (select coalesce(max(last_position), 0) from feed_ranges where fed_at is not null)";

impl World {
    pub(crate) fn analytics(&self) -> &ClickHouse {
        self.clickhouse.as_ref().expect("a world with ClickHouse")
    }

    /// Commits events of so many people.
    async fn commit_people(&self, csr: &mut Csr, count: usize) {
        let people = csr.people(count);
        self.publish_events(&people).await;
        assert_eq!(self.drain(&[])["applied"], count);
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join(format!("{}.log", Uuid::new_v4()))
    }

    /// Starts a process that only feeds.
    fn feeder(&self) -> Running {
        self.start(&["--only", "analytics"])
    }

    /// The same with traps on its ways.
    fn feeder_through(&self, postgres: &Trap, clickhouse: &Trap) -> Running {
        let mut command = self.milepost(&["run", "--only", "analytics"]);
        command.env("DATABASE_URL", postgres.url(&self.database_url));
        command.env("CLICKHOUSE_URL", clickhouse.url(&self.analytics().url));
        Running::start(command, self.log_file())
    }

    /// Both traps of a world.
    fn traps(&self) -> (Trap, Trap) {
        (Trap::to_postgres(&self.database_url), Trap::to_clickhouse(&self.analytics().url))
    }

    /// The lease of a holder that was killed is over, as it would be after its ten seconds.
    async fn end_lease(&self) {
        self.execute("update feed_leases set expires_at = '-infinity'").await;
    }

    /// A fresh process feeds what is left.
    #[track_caller]
    fn finish_feed(&self) {
        self.succeed(&["run", "--until-idle", "--only", "analytics"]);
    }

    /// Rows in ClickHouse.
    fn raw_rows(&self) -> i64 {
        self.analytics().number("select count() from events_raw")
    }
}

impl Running {
    /// Waits until it has the lease.
    #[track_caller]
    fn feeds(&self) {
        crate::support::eventually("the process to feed", || {
            (self.metric("milepost_analytics_feeding", "") > 0.5).then_some(())
        });
    }

    /// Waits until `/readyz` says that this is degraded, and that the service is ready all the same.
    #[track_caller]
    fn degraded(&self, what: &str) -> String {
        crate::support::eventually(&format!("/readyz to say {what}"), || {
            let (status, said) = self.get("/readyz");
            assert_eq!(status, 200, "{said}");
            said.contains(&format!("degraded: {what}")).then_some(said)
        })
    }

    /// Waits until `/readyz` says that nothing is wrong; the numbers may be right a moment before.
    #[track_caller]
    fn is_fine(&self) {
        crate::support::eventually("/readyz to say nothing but that it is ready", || {
            (self.get("/readyz").1 == "ready\n").then_some(())
        });
    }

    /// Waits until it has tried again so often.
    #[track_caller]
    fn retried(&self, cause: &str, times: u32) {
        let labels = format!("cause=\"{cause}\"");
        crate::support::eventually(&format!("{times} retries because of {cause}"), || {
            (self.metric("milepost_analytics_retries_total", &labels) >= f64::from(times)).then_some(())
        });
    }
}
