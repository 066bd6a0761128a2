//! A stage of its own for each run: a database, a stream, and the release binary between them.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::service::{Latencies, Service};
use crate::{cpu, proxy};

/// How much of the service runs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Parts {
    /// Everything up to the derived tables: the stream folder has no rules.
    Spine,
    /// Facts, flags, milestones and timers too, in the same transactions.
    Journeys,
    /// The outbox too: what the rules change is published, and comes back as messages of our own.
    All,
}

impl Parts {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spine => "spine",
            Self::Journeys => "journeys",
            Self::All => "all",
        }
    }
}

pub(crate) struct Stage {
    parts: Parts,
    database_url: String,
    nats: Child,
    nats_url: String,
    store: tempfile::TempDir,
}

pub(crate) struct Drain {
    pub(crate) rate: f64,
    pub(crate) milepost_micros: f64,
    pub(crate) postgres_micros: f64,
    pub(crate) nats_micros: f64,
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

fn postmaster() -> u32 {
    let folder = sql(&environment("DATABASE_URL"), "show data_directory");
    let file = std::fs::read_to_string(format!("{folder}/postmaster.pid")).unwrap_or_default();
    file.lines().next().and_then(|pid| pid.parse().ok()).unwrap_or_default()
}

impl Stage {
    pub(crate) fn new(parts: Parts) -> Self {
        let server = environment("DATABASE_URL");
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        sql(&server, &format!("create database {name}"));
        let (base, _) = server.rsplit_once('/').expect("a database URL");
        let store = tempfile::tempdir().expect("a folder");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let nats = Command::new(environment("MILEPOST_DEV_NATS_SERVER"))
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"])
            .arg(store.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        copy_streams(&store.path().join("csr"), parts);
        let nats_url = format!("nats://127.0.0.1:{port}");
        let stage = Self { parts, database_url: format!("{base}/{name}"), nats, nats_url, store };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        stage.succeed(&["migrate"], &stage.database_url);
        stage.succeed(&["streams", "apply"], &stage.database_url);
        stage
    }

    fn command(&self, arguments: &[&str], database_url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(arguments).env("DATABASE_URL", database_url).env("NATS_URL", &self.nats_url);
        command.env("MILEPOST_STREAMS", self.store.path().join("csr"));
        command.env("MILEPOST_HTTP_ADDR", "127.0.0.1:0").env("MILEPOST_LOG", "warn").stdin(Stdio::null());
        command
    }

    fn succeed(&self, arguments: &[&str], database_url: &str) -> String {
        let output = self.command(arguments, database_url).stderr(Stdio::piped()).output().expect("milepost runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Fills the store with events of earlier months, and the given table with their ids.
    pub(crate) fn fill(&self, stored: usize, ids: &str) {
        self.succeed(&["rules", "apply"], &self.database_url); // there are none, but a store with events wants to know
        let at = "timestamptz '2024-01-01' + number * interval '1 year' / ";
        let claim = match ids {
            "event_deduplication" => {
                "insert into event_deduplication (event_id, event_type, consumer_id, content_hash)
                 select event_id::text, event_type, 'milepost', content_hash from event_log order by position"
            }
            _ => "insert into event_ids select event_id, content_hash from event_log order by event_id",
        };
        for statement in [
            "select event_log_ensure_months(array(
                 select date '2024-01-01' + month * interval '1 month' from generate_series(0, 11) as month)::date[])"
                .to_owned(),
            format!(
                "insert into event_log (event_id, event_type, \"timestamp\", payload, content_hash, processed_at)
                 select gen_random_uuid(), 'a.b.c', {at} {stored}, jsonb_build_object('filler', repeat('x', 500)),
                     gen_random_uuid(), now() from generate_series(0, {stored} - 1) as number"
            ),
            claim.to_owned(),
            "vacuum analyze".to_owned(),
            "checkpoint".to_owned(),
        ] {
            sql(&self.database_url, &statement);
        }
    }

    /// Publishes a generated log; gives its file.
    fn publish(&self, events: usize) {
        let log = self.store.path().join("log.ndjson");
        let (events, path) = (events.to_string(), log.to_str().expect("a path"));
        let arguments = ["generate", "--events", &events, "--duplicates", "0.05", "--shuffle", "0.05", "--seed", "7"];
        std::fs::write(&log, self.succeed(&arguments, &self.database_url)).expect("a log");
        self.succeed(&["publish", path], &self.database_url);
    }

    /// Drains a log and checks the counts.
    pub(crate) fn drain(&self, events: usize, workers: usize, batch: usize) -> Drain {
        self.publish(events);
        let postmaster = postmaster();
        let before = (cpu::seconds(std::process::id(), true), cpu::family_seconds(postmaster), self.nats_seconds());
        let summary = self.run(&self.database_url, events, workers, batch);
        let after = (cpu::seconds(std::process::id(), true), cpu::family_seconds(postmaster), self.nats_seconds());
        // Messages of our own are a cost of the events, not more of them.
        let received = summary["received"].as_f64().unwrap_or(f64::NAN) - summary["own"].as_f64().unwrap_or(f64::NAN);
        let micros = |seconds: f64| seconds * 1e6 / received;
        Drain {
            rate: received / summary["seconds"].as_f64().unwrap_or(f64::NAN),
            milepost_micros: micros(after.0 - before.0),
            postgres_micros: micros(after.1 - before.1),
            nats_micros: micros(after.2 - before.2),
        }
    }

    fn nats_seconds(&self) -> f64 {
        cpu::seconds(self.nats.id(), false)
    }

    fn run(&self, database_url: &str, events: usize, workers: usize, batch: usize) -> Value {
        let (workers, batch) = (workers.to_string(), batch.to_string());
        let mut arguments = vec!["run", "--until-idle", "--workers", &workers, "--batch", &batch];
        if self.parts != Parts::All {
            arguments.extend(["--only", "project"]);
        }
        let summary: Value = serde_json::from_str(self.succeed(&arguments, database_url).trim()).expect("a summary");
        assert_eq!(summary["applied"], events, "every event is applied once: {summary}");
        summary
    }

    /// Round trips per batch, through a proxy that counts them.
    pub(crate) fn round_trips(&self, events: usize, batch: usize) -> f64 {
        self.publish(events);
        let (_, address) = self.database_url.rsplit_once('@').expect("a database URL with a user");
        let (address, _) = address.split_once('/').expect("a database URL");
        let (port, counts) = proxy::start(address.to_owned());
        let proxied = self.database_url.replace(address, &format!("127.0.0.1:{port}"));
        self.run(&proxied, events, 1, batch);
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let [round_trips, transactions] =
            [&counts.round_trips, &counts.transactions].map(|count| count.load(Ordering::Relaxed) as f64);
        round_trips / transactions
    }

    /// Median and 99th percentile from publication to commit, in seconds, at a steady rate.
    pub(crate) fn latency(&self, rate: usize, seconds: usize) -> (f64, f64) {
        let service = self.serve();
        let total = rate * seconds;
        self.publish_paced(rate, |published| published < total);
        self.holds(total);
        let latencies = service.latencies();
        (latencies.quantile(0.5), latencies.quantile(0.99))
    }

    /// The service, with its outbox.
    fn serve(&self) -> Service {
        let mut command = self.command(&["run", "--workers", "1"], &self.database_url);
        let child = command.env("MILEPOST_LOG", "info").stderr(Stdio::piped()).spawn().expect("it starts");
        Service::of(child)
    }

    /// Waits until so many events are stored.
    fn holds(&self, events: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while sql(&self.database_url, "select count(*) from event_log") != events.to_string() {
            assert!(Instant::now() < deadline, "not everything was committed");
        }
    }

    /// Latencies of live traffic at a steady rate: alone, beside the replay of a history that is stored already, and from
    /// its end on.
    pub(crate) fn beside_replay(&self, events: usize, from: &str, rate: usize, seconds: usize) -> [Latencies; 3] {
        self.publish(events);
        self.run(&self.database_url, events, 1, 1000);
        let stored: usize = sql(&self.database_url, "select count(*) from event_log").parse().expect("a number");
        let log = self.store.path().join("log.ndjson");
        let from = if from == "file" { log.to_str().expect("a path") } else { from };
        let service = self.serve();
        let is_over = AtomicBool::new(false);
        let pause = || std::thread::sleep(Duration::from_secs(seconds as u64));
        std::thread::scope(|scope| {
            let publishing = scope.spawn(|| self.publish_paced(rate, |_| !is_over.load(Ordering::Relaxed)));
            let marks = [
                service.latencies(),
                {
                    pause();
                    service.latencies()
                },
                {
                    let replay = self.succeed(&["replay", "--from", from], &self.database_url);
                    let summary: Value = serde_json::from_str(replay.trim()).expect("a summary");
                    assert_eq!(summary["applied"], 0, "what is right stays as it is: {summary}");
                    service.latencies()
                },
                {
                    pause();
                    service.latencies()
                },
            ];
            is_over.store(true, Ordering::Relaxed);
            let published = publishing.join().expect("everything is published");
            self.holds(stored + published);
            [0, 1, 2].map(|phase| marks[phase + 1].since(&marks[phase]))
        })
    }

    /// Events of a type that nothing else depends on, each at its own time; gives how many.
    fn publish_paced(&self, rate: usize, goes_on: impl Fn(usize) -> bool) -> usize {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let client = async_nats::connect(&self.nats_url).await.expect("NATS answers");
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate as f64));
            let mut published = 0;
            while goes_on(published) {
                ticks.tick().await;
                let (id, batch) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
                let event = serde_json::json!({"type": "company.synced", "metadata": {"id": id, "timestamp": "2026-01-01T00:00:00Z"},
                    "data": {"companyId": batch, "name": "Bench", "syncedAt": "2026-01-01T00:00:00Z"}});
                client.publish("company.synced", event.to_string().into()).await.expect("NATS takes it");
                client.flush().await.expect("NATS takes it");
                published += 1;
            }
            published
        })
    }
}

/// The stream folder, without rules where they are to be left out.
fn copy_streams(to: &std::path::Path, parts: Parts) {
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr");
    assert!(Command::new("cp").args(["-R", from]).arg(to).status().expect("cp runs").success(), "the folder is copied");
    if parts == Parts::Spine {
        std::fs::remove_file(to.join("journey.toml")).expect("the rules are there");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.nats.kill());
        drop(self.nats.wait());
    }
}
