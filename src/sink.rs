//! ClickHouse: the only module that speaks to it.
//!
//! Every request has a deadline, because the client library has none, and every answer is read to its end, because
//! ClickHouse may say only there that something went wrong.

pub mod cluster;
mod error;
pub mod migrate;
pub mod ranges;
pub mod statements;
pub mod sums;
mod tab_separated;
pub mod tables;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clickhouse::{Client, Compression};
use tokio::sync::OnceCell;

use crate::feed::Frame;

pub use error::Error;
pub use tab_separated::Row;

/// The longest that a ping or a look into system tables may take.
const LOOK_SECONDS_MAX: u64 = 10;
/// The longest that an insert, a query or a statement may take, unless [`Sink::with_deadline`] says otherwise.
const ANSWER_SECONDS_MAX: u64 = 60;

/// What every insert says, whatever the server's profile or version has as defaults.
///
/// One body is one block of up to [`BLOCK_ROWS_MAX`] rows: it is there or it is not, and its token stands for all of
/// it. A repeat with the same token adds nothing, neither in the table nor behind its views, and completes what a
/// view left undone. A view that fails makes the insert fail.
const INSERT_SETTINGS: [(&str, &str); 9] = [
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("materialized_views_ignore_errors", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("max_insert_block_size", BLOCK_ROWS_MAX),
    ("min_insert_block_size_rows", BLOCK_ROWS_MAX),
    ("min_insert_block_size_bytes", "0"),
    ("input_format_parallel_parsing", "0"),
];
/// The same for settings that only newer servers know; the others would refuse the insert.
const NEWER_INSERT_SETTINGS: [(&str, &str); 6] = [
    ("deduplicate_insert", "enable"), // 25.12; from 26.2 on `insert_deduplicate` says nothing any more
    ("max_insert_block_size_bytes", "0"),
    ("use_strict_insert_block_limits", "0"),
    ("input_format_max_block_size_bytes", "0"),
    ("input_format_max_block_wait_ms", "0"),
    ("input_format_connection_handling", "0"), // a body that breaks off is an error, not an end
];
/// Rows of one insert, at most.
const BLOCK_ROWS_MAX: &str = "1048576";

/// Where ClickHouse is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `http://` or `https://`; user and password may be in it.
    pub url: String,
    /// Goes before the one in the URL.
    pub user: Option<String>,
    /// Goes before the one in the URL.
    pub password: Option<String>,
    /// The database of all tables.
    pub database: String,
    /// The cluster on which DDL is carried out; without it, the one server.
    pub cluster: Option<String>,
}

/// A ClickHouse server and the database there. Clones share connections.
#[derive(Clone)]
pub struct Sink {
    client: Client,
    database: String,
    cluster: Option<String>,
    deadline: Duration,
    known_settings: Arc<OnceCell<HashSet<String>>>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("database", &self.database).finish_non_exhaustive() // the client has the password
    }
}

impl Sink {
    /// A sink at this address; connects when first asked for something.
    ///
    /// # Errors
    /// When the address cannot be read: what is wrong with it, without its password.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let mut url: url::Url = settings.url.parse().map_err(|error| {
            format!("CLICKHOUSE_URL cannot be read: {error}\n  hint: http://user:password@host:8123")
        })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("CLICKHOUSE_URL is not an HTTP address\n  hint: http://user:password@host:8123".into());
        }
        if url.query().is_some() {
            return Err("CLICKHOUSE_URL has parameters\n  hint: the database goes into CLICKHOUSE_DATABASE".into());
        }
        let in_url = |text: &str| (!text.is_empty()).then(|| percent_decoded(text));
        let user = settings.user.clone().or_else(|| in_url(url.username()));
        let password = settings.password.clone().or_else(|| url.password().and_then(in_url));
        // Neither belongs into a request's address, which proxies write to their logs.
        let is_stripped = url.set_username("").and_then(|()| url.set_password(None));
        is_stripped.map_err(|()| "CLICKHOUSE_URL cannot be read: user and password".to_owned())?;
        let mut client = Client::default().with_url(url).with_product_info("milepost", env!("CARGO_PKG_VERSION"));
        client = user.into_iter().fold(client, Client::with_user);
        client = password.into_iter().fold(client, Client::with_password);
        Ok(Self {
            client: client.with_compression(Compression::Lz4),
            database: settings.database.clone(),
            cluster: settings.cluster.clone(),
            deadline: Duration::from_secs(ANSWER_SECONDS_MAX),
            known_settings: Arc::default(),
        })
    }

    /// The same sink with more or less patience.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The database of all tables.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Whether the server answers queries; says nothing about the database.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.look("select 1").await.map(|_| ())
    }

    /// Runs a statement in the database.
    ///
    /// # Errors
    /// When it fails; after [`Error::Silent`] and [`Error::Unavailable`] it may have had its effect, or have it yet.
    pub async fn execute(&self, sql: &str) -> Result<(), Error> {
        self.run(self.client.clone().with_database(&self.database), sql).await
    }

    /// An answer that is none.
    fn nonsense(&self, attempted: &str) -> Error {
        let message = format!("the answer of the database {:?} cannot be read", self.database);
        Error::Fault { attempted: attempted.to_owned(), code: 0, message, hint: Some("run `milepost migrate`") }
    }

    /// A query's rows, each value as ClickHouse writes it in TabSeparated, unescaped; null is `None`.
    ///
    /// # Errors
    /// When it fails.
    pub async fn rows(&self, sql: &str, settings: &[(&str, &str)]) -> Result<Vec<Row>, Error> {
        let client = self.client.clone().with_database(&self.database);
        ask(with_settings(client, settings), sql, self.deadline).await
    }

    /// Sends a body, which is one frame, in one insert, as one block. If the connection breaks in a frame, nothing of it
    /// can be read. Without `columns` the body names them itself, as Native does.
    ///
    /// # Errors
    /// When it fails; after any error it may have had its effect, so that it has to be repeated with the same token.
    pub async fn insert(
        &self,
        table: &str,
        columns: &[&str],
        format: &str,
        frame: Frame,
        settings: &[(&str, &str)],
    ) -> Result<(), Error> {
        let names: Vec<String> = columns.iter().map(|name| identifier(name)).collect();
        let columns = if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) };
        let sql = format!("insert into {} {columns} format {format}", identifier(table));
        let newer = self.known(&NEWER_INSERT_SETTINGS).await?;
        let client = with_settings(self.client.clone().with_database(&self.database), &INSERT_SETTINGS);
        let client = with_settings(with_settings(client, &newer), settings).with_compression(Compression::None);
        let client = client.with_setting("decompress", "1");
        let attempted = format!("insert into {table}");
        within(self.deadline, &attempted, async {
            let mut insert = client.insert_formatted_with(sql).with_timeouts(Some(self.deadline), Some(self.deadline));
            let sent = insert.send(frame.into_bytes()).await;
            let ended = match sent {
                Ok(()) => insert.end().await,
                Err(error) => Err(error),
            };
            ended.map_err(|error| Error::of_insert(&attempted, error, self.deadline))
        })
        .await
    }

    /// A query about the server, before or beside our database.
    async fn look(&self, sql: &str) -> Result<Vec<Row>, Error> {
        ask(self.client.clone(), sql, Duration::from_secs(LOOK_SECONDS_MAX)).await
    }

    /// Those of the settings that the server knows; it is asked once.
    async fn known(
        &self,
        settings: &[(&'static str, &'static str)],
    ) -> Result<Vec<(&'static str, &'static str)>, Error> {
        let ask = async || {
            let rows = self.look("select name from system.settings").await?;
            Ok(rows.into_iter().flatten().flatten().collect::<HashSet<String>>())
        };
        let known = self.known_settings.get_or_try_init(ask).await?;
        Ok(settings.iter().copied().filter(|(name, _)| known.contains(*name)).collect())
    }

    async fn run(&self, client: Client, sql: &str) -> Result<(), Error> {
        let attempted = first_words(sql);
        // The server holds back its answer until it is complete, so that an error has its status.
        let query = client.query_raw(sql).with_setting("wait_end_of_query", "1");
        within(self.deadline, &attempted, async {
            query.execute().await.map_err(|error| Error::classify(&attempted, error, self.deadline))
        })
        .await
    }
}

async fn ask(client: Client, sql: &str, deadline: Duration) -> Result<Vec<Row>, Error> {
    let attempted = first_words(sql);
    let query = client.query_raw(sql).with_setting("wait_end_of_query", "1");
    let bytes = within(deadline, &attempted, async {
        let answer = match query.fetch_bytes("TabSeparated") {
            Ok(mut cursor) => cursor.collect().await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| Error::classify(&attempted, error, deadline))
    })
    .await?;
    Ok(tab_separated::rows(&String::from_utf8_lossy(&bytes)))
}

async fn within<T>(
    deadline: Duration,
    attempted: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let silent = || Error::Silent { attempted: attempted.to_owned(), seconds: deadline.as_secs() };
    tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| Err(silent()))
}

fn with_settings(client: Client, settings: &[(&str, &str)]) -> Client {
    settings.iter().fold(client, |client, (name, value)| client.with_setting(*name, *value))
}

/// What a statement is about, for messages.
fn first_words(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

/// A name as it stands in SQL, whatever is in it.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text as it stands in SQL, whatever is in it.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Undoes the `%40` of addresses.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings { url: url.into(), user: None, password: None, database: "milepost".into(), cluster: None }
    }

    #[test]
    fn an_address_that_cannot_be_read_is_said_without_its_password() {
        for url in ["nats://u:secret@host", "host:8123", "http://u:secret@host/?database=x", "http://u:secret@:99999"] {
            let fault = Sink::new(&settings(url)).expect_err(url);
            assert!(fault.starts_with("CLICKHOUSE_URL") && !fault.contains("secret"), "{fault}");
        }
        let sink = Sink::new(&settings("https://u:secret@host:8443")).expect("an address");
        assert!(!format!("{sink:?}").contains("secret"));
    }

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(identifier("a`b\\"), r"`a\`b\\`");
        assert_eq!(literal("it's\\"), r"'it\'s\\'");
        assert_eq!(percent_decoded("p%40ss%3Aw%C3%B6rd%"), "p@ss:wörd%");
    }
}
