//! A place of its own for each run: a Postgres database, a stream, a ClickHouse database, and the release binary.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cpu;

/// Events that are made up one by one; a larger store has them many times, under other ids.
const MADE_UP: usize = 20_000;

/// Whether ClickHouse can be reached.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ClickHouse {
    There,
    Away,
}

pub(crate) struct Place {
    database_url: String,
    clickhouse_database: String,
    nats: Child,
    nats_url: String,
    folder: tempfile::TempDir,
}

pub(crate) struct Feed {
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) milepost_micros: f64,
    pub(crate) postgres_micros: f64,
    pub(crate) all_micros: f64,
    pub(crate) peak_megabytes: f64,
}

fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make bench`"))
}

fn sql(url: &str, query: &str) -> String {
    let psql = format!("{}/psql", environment("MILEPOST_DEV_PG_BIN"));
    let output = Command::new(psql).args(["--no-psqlrc", "-qAt", url, "-c", query]).output().expect("psql runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// CPU seconds of the whole machine that were not idle.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (fields.iter().take(8).sum::<f64>() - idle) / 100.0
}

impl Place {
    pub(crate) fn new() -> Self {
        let server = environment("DATABASE_URL");
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        sql(&server, &format!("create database {name}"));
        let (base, _) = server.rsplit_once('/').expect("a database URL");
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let nats = Command::new(environment("MILEPOST_DEV_NATS_SERVER"))
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let nats_url = format!("nats://127.0.0.1:{port}");
        let database_url = format!("{base}/{name}");
        let place = Self { database_url, clickhouse_database: name, nats, nats_url, folder };
        place.succeed(&["migrate"]);
        place.succeed(&["streams", "apply"]);
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(arguments).env("DATABASE_URL", &self.database_url).env("NATS_URL", &self.nats_url);
        command.env("CLICKHOUSE_DATABASE", &self.clickhouse_database);
        command.env("MILEPOST_HTTP_ADDR", "127.0.0.1:0").env("MILEPOST_LOG", "error").stdin(Stdio::null());
        command
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stderr(Stdio::piped()).output().expect("milepost runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn publish(&self, events: usize) {
        let log = self.folder.path().join("log.ndjson");
        let (events, path) = (events.to_string(), log.to_str().expect("a path"));
        std::fs::write(&log, self.succeed(&["generate", "--events", &events, "--seed", "7"])).expect("a log");
        self.succeed(&["publish", path]);
    }

    /// Fills the event store: a log through the service, then the same events again and again under other ids.
    pub(crate) fn fill(&self, events: usize) {
        let first = MADE_UP.min(events);
        self.publish(first);
        self.succeed(&["run", "--until-idle", "--only", "project"]);
        let times = events / first;
        sql(
            &self.database_url,
            &format!(
                "insert into event_log (event_id, event_type, version, user_id, \"timestamp\", payload, content_hash,
                     correlation_id, received_at, processed_at)
                 select gen_random_uuid(), event_type, version, user_id, \"timestamp\", payload, content_hash, correlation_id,
                     received_at, processed_at
                 from generate_series(2, {times}) as again cross join lateral (select * from event_log order by position
                     limit {first}) as events"
            ),
        );
        sql(&self.database_url, "vacuum analyze event_log");
        sql(&self.database_url, "checkpoint");
    }

    /// Feeds what is stored, in a process of its own.
    pub(crate) fn feed(&self, events: usize) -> Feed {
        let postmaster = sql(&self.database_url, "show data_directory");
        let file = std::fs::read_to_string(format!("{postmaster}/postmaster.pid")).unwrap_or_default();
        let postmaster = file.lines().next().and_then(|pid| pid.parse().ok()).unwrap_or_default();
        let before = (cpu::family_seconds(postmaster), busy_seconds(), cpu::seconds(std::process::id(), true));
        let mut command = self.command(&["run", "--until-idle", "--only", "analytics"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("milepost runs");
        let mut peak: f64 = 0.0;
        while child.try_wait().expect("it can be asked").is_none() {
            peak = peak.max(peak_megabytes(child.id()));
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().expect("it has ended");
        let after = (cpu::family_seconds(postmaster), busy_seconds(), cpu::seconds(std::process::id(), true));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(summary["fed"], events, "every event is fed once: {summary}");
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let (count, seconds) = (events as f64, summary["seconds"].as_f64().unwrap_or(f64::NAN));
        Feed {
            rate: count / seconds,
            seconds,
            milepost_micros: (after.2 - before.2) * 1e6 / count,
            postgres_micros: (after.0 - before.0) * 1e6 / count,
            all_micros: (after.1 - before.1) * 1e6 / count,
            peak_megabytes: peak,
        }
    }

    /// Commits a log with the whole service running; gives events per second until the last one is committed.
    pub(crate) fn commit(&self, events: usize, clickhouse: ClickHouse) -> f64 {
        self.publish(events);
        let mut command = self.command(&["run"]);
        if clickhouse == ClickHouse::Away {
            command.env("CLICKHOUSE_URL", "http://127.0.0.1:9");
        }
        let began = Instant::now();
        let mut service = command.spawn().expect("milepost runs");
        let count =
            "select count(*) from event_log where event_type not like 'orchestration.%' and processed_at is not null";
        while sql(&self.database_url, count) != events.to_string() {
            assert!(began.elapsed() < Duration::from_secs(300), "not everything was committed");
            std::thread::sleep(Duration::from_millis(50));
        }
        let seconds = began.elapsed().as_secs_f64();
        service.kill().expect("it can be stopped");
        service.wait().expect("it has ended");
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let count = events as f64;
        count / seconds
    }
}

fn peak_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.nats.kill());
        drop(self.nats.wait());
    }
}
