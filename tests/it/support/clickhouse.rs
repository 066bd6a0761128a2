//! A ClickHouse database of its own for a test, asked over plain HTTP.

use std::process::Command;
use std::time::Duration;

use milepost::sink::{Settings, Sink, identifier};
use serde_json::Value;
use uuid::Uuid;

use super::milepost;

/// One database of a ClickHouse server; dropped when dropped.
pub(crate) struct ClickHouse {
    pub(crate) url: String,
    pub(crate) database: String,
}

impl ClickHouse {
    /// A database on the server that all tests share; not made yet.
    pub(crate) fn new() -> Self {
        Self::on(&std::env::var("CLICKHOUSE_URL").expect("tests need servers: run `make test`"))
    }

    /// A database on the server at this address; not made yet.
    pub(crate) fn on(url: &str) -> Self {
        Self { url: url.to_owned(), database: format!("test_{}", Uuid::new_v4().simple()) }
    }

    /// The database with its tables.
    pub(crate) fn migrated(self) -> Self {
        let output = self.milepost(&["migrate", "--analytics"]).output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self
    }

    /// The binary with the address of this database and of nothing else.
    pub(crate) fn milepost(&self, arguments: &[&str]) -> Command {
        let mut command = milepost();
        self.tell(command.args(arguments));
        command
    }

    /// Says to a command where this database is.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("CLICKHOUSE_URL", &self.url).env("CLICKHOUSE_DATABASE", &self.database);
    }

    /// The sink under test, on this database.
    pub(crate) fn sink(&self) -> Sink {
        let settings = Settings {
            url: self.url.clone(),
            user: None,
            password: None,
            database: self.database.clone(),
            cluster: None,
        };
        Sink::new(&settings).expect("an address")
    }

    /// Sends a statement, with a body and settings; gives the answer, or what ClickHouse says against it.
    pub(crate) fn send(&self, sql: &str, body: &[u8], settings: &[(&str, &str)]) -> Result<String, String> {
        self.post(sql, body, [("database", self.database.as_str())].iter().chain(settings).copied())
    }

    /// Runs a statement that must end well.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        self.send(sql, &[], &[]).unwrap_or_else(|fault| panic!("{sql}\n{fault}"));
    }

    /// A query's rows, each as JSON; decimals are texts.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<Value> {
        let settings = [("default_format", "JSONEachRow"), ("output_format_json_quote_decimals", "1")];
        let answer = self.send(sql, &[], &settings).unwrap_or_else(|fault| panic!("{sql}\n{fault}"));
        answer.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    }

    /// A query's lines, values between tabs.
    #[track_caller]
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        let answer = self.send(sql, &[], &[]).unwrap_or_else(|fault| panic!("{sql}\n{fault}"));
        answer.lines().map(str::to_owned).collect()
    }

    /// A query's only value.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let lines = self.lines(&format!("select toInt64(({sql}))"));
        lines[0].parse().expect("a number")
    }

    fn post<'a>(
        &self,
        sql: &str,
        body: &[u8],
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<String, String> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let request = parameters
            .fold(agent.post(&self.url).query("query", sql), |request, (name, value)| request.query(name, value));
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let is_well = response.status().is_success();
        let text =
            response.body_mut().with_config().limit(1 << 30).read_to_string().map_err(|error| error.to_string())?;
        if is_well { Ok(text) } else { Err(text) }
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} sync", identifier(&self.database));
        drop(self.post(&sql, &[], std::iter::empty())); // the server may be gone, and is thrown away anyway
    }
}
