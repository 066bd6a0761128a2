//! Watching the service through its database and its consumer.

use async_nats::jetstream::consumer;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{Running, World, eventually};

/// Statements of the service that wait for a lock of somebody else.
pub(crate) const BLOCKED: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'milepost' and wait_event_type = 'Lock'";
/// Messages of the stream that were handled.
pub(crate) const HANDLED: &str = "select coalesce(sum((select coalesce(sum(upper(part) - lower(part)), 0)
    from unnest(sequences) as part)), 0) from handled_sequences";

impl World {
    /// Asks for a number until it is as wanted.
    #[track_caller]
    pub(crate) fn reaches(&self, sql: &str, is_wanted: impl Fn(i64) -> bool) -> i64 {
        block_in_place(|| {
            let mut connection = Handle::current().block_on(self.postgres());
            let sql = format!("select ({sql})::int8");
            eventually(&sql, || {
                let query = sqlx::query_scalar(AssertSqlSafe(sql.clone()));
                let number: i64 = Handle::current().block_on(query.fetch_one(&mut connection)).expect("a number");
                is_wanted(number).then_some(number)
            })
        })
    }

    /// The durable consumer, as NATS sees it.
    pub(crate) async fn consumer(&self) -> consumer::Info {
        let context = self.jetstream().await;
        let stream = context.get_stream("CSR").await.expect("the stream");
        stream.consumer_info("milepost").await.expect("the consumer")
    }

    /// Waits until so many workers ask for messages; with batches of one, messages go to them in turn.
    #[track_caller]
    pub(crate) fn pulls(&self, workers: usize) {
        block_in_place(|| {
            eventually("workers that ask for messages", || {
                (Handle::current().block_on(self.consumer()).num_waiting == workers).then_some(())
            });
        });
    }

    /// Lines of a generated log, whatever is in them.
    #[track_caller]
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Vec<u8>> {
        let output = self.output(&[&["generate"], arguments].concat());
        assert!(output.status.success(), "milepost generate {arguments:?} failed");
        output.stdout.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// Publishes lines, also such as are no events.
    #[track_caller]
    pub(crate) fn publish_lines(&self, lines: &[Vec<u8>]) {
        let file = self.folder.path().join(format!("{}.ndjson", uuid::Uuid::new_v4()));
        std::fs::write(&file, lines.concat()).expect("a file");
        self.succeed(&["publish", file.to_str().expect("a path"), "--subject", "program.unreadable"]);
    }

    /// Lines of a generated log, each with its subject.
    #[track_caller]
    pub(crate) fn generate(&self, arguments: &[&str]) -> Vec<(String, Vec<u8>)> {
        let all: Vec<&str> = ["generate"].iter().chain(arguments).copied().collect();
        let message = |line: &str| {
            let event: Value = serde_json::from_str(line).expect("an event");
            (event["type"].as_str().expect("a type").to_owned(), line.as_bytes().to_vec())
        };
        self.succeed(&all).lines().map(message).collect()
    }
}

/// A world in which these events have had their effect, and what this counts has not: its moment, which the events are
/// given, comes only afterwards. Where the machine is slow it is given more time.
pub(crate) async fn before_it_is_due(count: &str, mut events: impl FnMut(DateTime<Utc>) -> Vec<Value>) -> World {
    for seconds in [3, 9, 27] {
        let world = World::new().await;
        let moment = Utc::now() + TimeDelta::seconds(seconds);
        world.publish_events(&events(moment)).await;
        world.drain(&[]);
        let found = world.number(count).await;
        if Utc::now() < moment {
            assert_eq!(found, 0, "its moment has not come");
            return world;
        }
    }
    panic!("the machine is too slow to look at a moment before it comes");
}

impl Running {
    /// Waits until `/readyz` answers so; gives what it says.
    #[track_caller]
    pub(crate) fn readiness(&self, status: u16) -> String {
        eventually(&format!("/readyz to answer {status}"), || {
            let (now, said) = self.get("/readyz");
            (now == status).then_some(said)
        })
    }
}
