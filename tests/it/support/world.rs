//! A world of its own for each test: a database, a NATS server, and the real binary between them.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{ClickHouse, Nats};

const TEMPLATE: &str = "milepost_template";
static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();

/// Servers of one test.
pub(crate) struct World {
    pub(crate) nats: Nats,
    pub(crate) database_url: String,
    pub(crate) clickhouse: Option<ClickHouse>,
    pub(crate) streams: Option<PathBuf>,
    /// Key-encryption keys; without any, personal fields are stored as they come.
    pub(crate) keys: Option<String>,
    pub(crate) folder: tempfile::TempDir,
}

/// The real binary, running; killed when dropped.
pub(crate) struct Running {
    child: Option<Child>,
    pub(crate) http: String,
    stderr: PathBuf,
}

fn server_url() -> String {
    std::env::var("DATABASE_URL").expect("tests need servers: run `make test`")
}

fn with_database(name: &str) -> String {
    let url = server_url();
    let (base, _) = url.rsplit_once('/').expect("a database URL ends with the database");
    format!("{base}/{name}")
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect_with(&url.parse::<PgConnectOptions>().expect("a database URL"))
        .await
        .expect("Postgres answers")
}

async fn administer(sql: String) {
    let mut server = connect(&server_url()).await;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut server).await.expect("an administrative statement");
}

/// The template is migrated once per run of the test binary; each test gets a copy.
async fn make_template() {
    administer(format!("drop database if exists {TEMPLATE}")).await;
    administer(format!("create database {TEMPLATE}")).await;
    let migrated = milepost().arg("migrate").env("DATABASE_URL", with_database(TEMPLATE)).output().expect("it runs");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

/// The binary under test; MILEPOST_TEST_BINARY names another one, such as one that was broken on purpose.
pub(crate) fn milepost() -> Command {
    let other = std::env::var_os("MILEPOST_TEST_BINARY");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_milepost").into()));
    let others = [
        "NATS_URL",
        "MILEPOST_STREAMS",
        "CLICKHOUSE_URL",
        "CLICKHOUSE_USER",
        "CLICKHOUSE_PASSWORD",
        "CLICKHOUSE_DATABASE",
        "CLICKHOUSE_CLUSTER",
        "MILEPOST_KEY",
        "MILEPOST_KEY_FILE",
    ];
    for name in others {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

impl World {
    /// Servers with tables, and with stream and consumer.
    pub(crate) async fn new() -> Self {
        let world = Self::without_stream().await;
        world.succeed(&["streams", "apply"]);
        world
    }

    /// As [`Self::new`], with a migrated ClickHouse database: of the server that all tests share, or of an `Engine`.
    pub(crate) async fn with_clickhouse(clickhouse: ClickHouse) -> Self {
        Self { clickhouse: Some(clickhouse.migrated()), ..Self::new().await }
    }

    /// Servers with tables; the stream is not there yet.
    pub(crate) async fn without_stream() -> Self {
        TEMPLATE_MADE.get_or_init(make_template).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        administer(format!("create database {name} template {TEMPLATE}")).await;
        Self {
            nats: Nats::start(),
            database_url: with_database(&name),
            clickhouse: None,
            streams: None,
            keys: None,
            folder: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// As [`Self::new`], with a copy of the stream folder in which a line of `stream.toml` reads otherwise.
    pub(crate) async fn with_setting(was: &str, is: &str) -> Self {
        let mut world = Self::without_stream().await;
        let folder = world.folder.path().join("csr");
        let mut copy = Command::new("cp");
        copy.args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")]).arg(&folder);
        assert!(copy.status().expect("cp runs").success(), "the stream folder was copied");
        let file = folder.join("stream.toml");
        let text = std::fs::read_to_string(&file).expect("stream.toml");
        assert!(text.contains(was), "stream.toml says {was}");
        std::fs::write(&file, text.replace(was, is)).expect("stream.toml");
        world.streams = Some(folder);
        world.succeed(&["streams", "apply"]);
        world
    }

    /// The binary with this world's addresses.
    pub(crate) fn milepost(&self, arguments: &[&str]) -> Command {
        let mut command = milepost();
        command.args(arguments).env("DATABASE_URL", &self.database_url).env("NATS_URL", self.nats.url());
        command.env("MILEPOST_HTTP_ADDR", "127.0.0.1:0").env("MILEPOST_LOG", "info");
        if let Some(streams) = &self.streams {
            command.env("MILEPOST_STREAMS", streams);
        }
        if let Some(keys) = &self.keys {
            command.env("MILEPOST_KEY", keys);
        }
        if let Some(clickhouse) = &self.clickhouse {
            clickhouse.tell(&mut command);
        }
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.milepost(arguments).output().expect("the binary runs")
    }

    /// Runs a verb that must end well, and gives its stdout.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(output.status.success(), "milepost {arguments:?} failed: {stderr}{stdout}");
        stdout.into_owned()
    }

    /// `run --until-idle` with more arguments; gives the summary. Projects only: what the outbox would publish comes
    /// back as messages of our own, which most tests have no interest in counting.
    #[track_caller]
    pub(crate) fn drain(&self, arguments: &[&str]) -> Value {
        self.drain_all(&[&["--only", "project"], arguments].concat())
    }

    /// `run --until-idle` with all parts; gives the summary.
    #[track_caller]
    pub(crate) fn drain_all(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = ["run", "--until-idle"].iter().chain(arguments).copied().collect();
        serde_json::from_str(self.succeed(&all).trim()).expect("the summary is JSON")
    }

    /// `prove`; must say that everything adds up.
    #[track_caller]
    pub(crate) fn prove(&self) -> Value {
        serde_json::from_str(self.succeed(&["prove", "--json"]).trim()).expect("the proof is JSON")
    }

    /// Dead letters as the command lists them.
    #[track_caller]
    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        serde_json::from_str(self.succeed(&["dead-letters", "list", "--json"]).trim()).expect("the list is JSON")
    }

    /// Starts the service and returns once it serves HTTP.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let all: Vec<&str> = ["run"].iter().chain(arguments).copied().collect();
        Running::start(self.milepost(&all), self.folder.path().join(format!("{}.log", Uuid::new_v4())))
    }

    /// A JetStream context for the test itself.
    pub(crate) async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.nats.url()).await.expect("NATS answers"))
    }

    /// Publishes messages, each on its subject, and waits until the stream has them.
    pub(crate) async fn publish(&self, messages: &[(String, Vec<u8>)]) {
        let context = self.jetstream().await;
        for some in messages.chunks(1000) {
            let mut answers = Vec::new(); // the client holds on to so many unanswered ones only
            for (subject, payload) in some {
                answers.push(context.publish(subject.clone(), payload.clone().into()).await.expect("NATS takes it"));
            }
            for answer in answers {
                answer.await.expect("the stream has it");
            }
        }
    }

    /// Publishes events on the subject that equals their type.
    pub(crate) async fn publish_events(&self, events: &[Value]) {
        let message =
            |event: &Value| (event["type"].as_str().expect("a type").to_owned(), event.to_string().into_bytes());
        self.publish(&events.iter().map(message).collect::<Vec<_>>()).await;
    }

    /// A connection for the test itself.
    pub(crate) async fn postgres(&self) -> PgConnection {
        connect(&self.database_url).await
    }

    /// A copy of the database as it is now, as a base backup would be: its URL. Nobody may be connected.
    pub(crate) async fn copied(&self) -> String {
        let (_, name) = self.database_url.rsplit_once('/').expect("a database URL ends with the database");
        let copy = format!("test_{}", Uuid::new_v4().simple());
        administer(format!("create database {copy} template {name}")).await;
        with_database(&copy)
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.postgres().await).await.expect(sql);
    }

    /// A query's rows, each as JSON.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Value> {
        let wrapped = AssertSqlSafe(format!("select to_jsonb(r) from ({sql}) as r"));
        let rows = sqlx::query(wrapped).fetch_all(&mut self.postgres().await).await.expect(sql);
        rows.iter().map(|row| row.get::<Value, _>(0)).collect()
    }

    /// A query's only value.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select ({sql})::int8")))
            .fetch_one(&mut self.postgres().await)
            .await
            .expect(sql)
    }
}

impl Running {
    /// Starts a command and waits until it says where it serves HTTP.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).expect("a log file");
        let child = command.stdout(Stdio::piped()).stderr(file).spawn().expect("the binary starts");
        let mut running = Self { child: Some(child), http: String::new(), stderr: log };
        running.http = eventually("the service serves HTTP", || {
            let log = running.log();
            let (_, rest) = log.split_once("address=")?;
            Some(format!("http://{}", rest.lines().next()?.trim()))
        });
        running
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("it runs").id()).expect("a process id")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the process took {name}");
    }

    /// SIGKILL, now.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }

    /// Waits until it ends by itself; gives exit code and stdout.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let output = self.child.take().expect("it runs").wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().expect("it was started").try_wait().expect("its state").is_none()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        let mut response = agent.get(format!("{}{path}", self.http)).call().expect("the service answers");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
    }

    /// The value of a metric, all its label sets that contain the given text summed up.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let of_metric = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
        };
        text.lines().filter(of_metric).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Asks a foreign process again and again until it gives an answer; panics after a minute.
///
/// The only wait in the tests: other processes signal nothing but their state.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
