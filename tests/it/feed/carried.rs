//! Feeding, and a look at both sides of it.

use serde_json::Value;

use crate::support::{ClickHouse, World, eventually};

/// Every column of a row but its place, as text.
const CONTENT: &str =
    "select toString(event_id), * except (position, event_id, payload), payload from TABLE order by 1";

impl World {
    /// A world with tables in ClickHouse.
    pub(crate) async fn fed() -> Self {
        Self::with_clickhouse(ClickHouse::new()).await
    }

    /// Feeds what is stored, until nothing is left.
    #[track_caller]
    pub(crate) fn feed(&self) {
        let mut feeding = self.start(&["--until-idle", "--only", "analytics"]);
        eventually("everything to be fed", || (!feeding.is_running()).then_some(()));
        assert_eq!(feeding.wait().0, Some(0));
    }

    /// Publishes events, takes them in, and feeds them.
    pub(super) async fn carry(&self, events: &[Value]) {
        self.publish_events(events).await;
        self.drain(&[]);
        self.feed();
    }

    /// What a table of raw events holds, but for positions.
    #[track_caller]
    pub(super) fn content(&self, table: &str) -> Vec<String> {
        self.analytics().lines(&CONTENT.replace("TABLE", table))
    }

    /// `prove`, however it ends: whether all adds up, and what it says about ClickHouse.
    #[track_caller]
    pub(super) fn judged(&self, arguments: &[&str]) -> (bool, Value) {
        let output = self.output(&[&["prove", "--json"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        let proof: Value = serde_json::from_str(said.trim())
            .unwrap_or_else(|_| panic!("a proof: {said}{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(output.status.code(), Some(if proof["ok"] == true { 0 } else { 1 }), "{proof}");
        (proof["ok"] == true, proof["analytics"].clone())
    }

    /// The same, which must say that all is well; and it is so by a look of our own.
    #[track_caller]
    pub(super) fn is_well(&self, arguments: &[&str]) -> Value {
        let (is_well, proof) = self.judged(arguments);
        assert!(is_well, "{proof}");
        proof
    }

    /// `prove` has nothing to say against ClickHouse, whatever it says about Postgres, where a test took something away.
    #[track_caller]
    pub(super) fn adds_up(&self, arguments: &[&str]) {
        let (_, proof) = self.judged(arguments);
        assert_eq!(proof["problems"], serde_json::json!([]), "{proof}");
    }

    /// Ids in the store and in ClickHouse are the same, and so are raw events and sums, counted without the binary.
    pub(crate) async fn is_all_there(&self) {
        let stored: Vec<String> = self
            .rows("select position || ' ' || event_id as id from event_log order by position")
            .await
            .iter()
            .map(|row| row["id"].as_str().expect("an id").to_owned())
            .collect();
        let clickhouse = self.analytics();
        let carried =
            clickhouse.lines("select position || ' ' || toString(event_id) from events_raw order by position");
        assert_eq!(carried, stored);
        let raw = "select toString(toDateTime64(event_time, 0, 'UTC') - toIntervalSecond(positiveModulo(
                 toUnixTimestamp64Micro(event_time), 3600000000) / 1000000)) as hour, event_type, company_id, program_id,
                 count(), uniq(user_id), ifNull(sum(minutes), 0), ifNull(sum(rating), 0), count(rating)
             from events_raw where event_time between '1971-01-01' and '2100-01-01' group by all order by all";
        let sums = "select toString(hour), event_type, company_id, program_id, sum(events), uniqMerge(people),
                 sum(minutes), sum(rating_sum), sum(rating_count)
             from events_aggregated where hour between '1971-01-01' and '2100-01-01' group by all order by all";
        assert_eq!(clickhouse.lines(sums), clickhouse.lines(raw));
        let both =
            clickhouse.lines("select (select count() from events_raw), (select sum(events) from events_aggregated)");
        assert_eq!(both, [format!("{0}\t{0}", stored.len())]);
    }

    /// Time passes: leases of processes that were killed end.
    pub(super) async fn leases_end(&self) {
        self.execute("update feed_leases set expires_at = '-infinity'").await;
    }
}
