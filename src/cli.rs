//! The command line: one binary, its verbs and settings.

mod archive;
mod audited;
mod dead_letters;
mod explain;
pub mod generate;
mod import;
mod keys;
mod migrate;
mod person;
mod prove;
pub mod publish;
mod rebuild;
mod replay;
mod rules;
mod run;
mod sink;
mod streams;
mod tidy;
mod waiting;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::domain::{Domain, Source as DomainSource};
use crate::error::Failure;
use crate::health::Health;
use crate::source::Source;
use crate::store::audit_logs::Operator;
use crate::store::{Connection, Store};
use crate::telemetry::{self, LogFormat};

/// Milepost: JSON events from NATS JetStream, each with exactly one effect on Postgres.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    verb: Verb,
}

/// Settings of every verb.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Where Postgres is: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    database_url: Option<String>,
    /// Where NATS is: nats://user:password@host:port
    #[arg(long, env = "NATS_URL", global = true, default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    nats_url: String,
    #[command(flatten)]
    sink: sink::SinkSettings,
    #[command(flatten)]
    keys: keys::KeySettings,
    /// Stream folder; without it, the one compiled in
    #[arg(long, env = "MILEPOST_STREAMS", global = true, value_name = "FOLDER")]
    streams: Option<PathBuf>,
    /// Who gives this command, for the audit log; without it, the account that it runs as
    #[arg(long, env = "MILEPOST_ACTOR", global = true, value_name = "NAME")]
    actor: Option<String>,
    /// What to log, such as "info" or "info,milepost=debug"
    #[arg(
        long = "log",
        env = "MILEPOST_LOG",
        global = true,
        default_value = "info,async_nats=warn",
        value_name = "FILTER"
    )]
    log: String,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create or change the tables
    Migrate(migrate::Args),
    /// Check the stream folder, or make JetStream as it says
    #[command(subcommand)]
    Streams(streams::Verb),
    /// Run the service
    Run(run::Args),
    /// Write a synthetic log to stdout, one event per line
    Generate(generate::Args),
    /// Publish a log from a file or stdin to JetStream
    Publish(publish::Args),
    /// Read files of other systems, check them, and publish their rows as events
    Import(import::Args),
    /// Check that every message of the stream is accounted for
    Prove(prove::Args),
    /// Send history through the pipeline once more: from a file, the stream or the event store
    Replay(replay::Args),
    /// Make tables anew from the event store, beside those that are read
    Rebuild(rebuild::Args),
    /// Write old months of the event store to files
    Archive(archive::Args),
    /// Prune what need not be kept
    Tidy(tidy::Args),
    /// Why flags are as they are, what other rules would change, and changing them
    #[command(subcommand)]
    Rules(rules::Verb),
    /// Look at messages that could not be applied, and try them again
    #[command(subcommand)]
    DeadLetters(dead_letters::Verb),
    /// Look at events that are held back until what they refer to exists
    #[command(subcommand)]
    Waiting(waiting::Verb),
    /// What became of an event, where it went and what it moved
    Explain(explain::Args),
    /// Everything that is held of a person, as JSON
    Export(person::ExportArgs),
    /// Forget a person: redact what tables hold of them, and destroy the keys of the rest
    Erase(person::EraseArgs),
    /// The keys that protect personal fields
    #[command(subcommand)]
    Keys(keys::Verb),
}

/// Parses the command line, does what it says, and gives the exit code: 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = telemetry::init(&cli.settings.log, cli.settings.log_format)
        .map_err(|fault| Failure::Configuration(vec![fault]))
        .and_then(|()| dispatch(cli));
    match ended {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    if let Verb::Generate(args) = &cli.verb {
        generate::run(args, &mut std::io::BufWriter::new(std::io::stdout().lock()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(Box::pin(async {
        let settings = &cli.settings;
        match cli.verb {
            Verb::Migrate(args) => migrate::run(settings, &args).await,
            Verb::Streams(verb) => streams::run(settings, &verb).await,
            Verb::Run(args) => run::run(settings, &args).await,
            Verb::Publish(args) => publish::run(&settings.nats_url, &args).await,
            Verb::Import(args) => Box::pin(import::run(settings, &args)).await,
            Verb::Prove(args) => prove::run(settings, &args).await,
            Verb::Replay(args) => replay::run(settings, &args).await,
            Verb::Rebuild(args) => rebuild::run(settings, &args).await,
            Verb::Archive(args) => Box::pin(archive::run(settings, &args)).await,
            Verb::Tidy(args) => tidy::run(settings, &args).await,
            Verb::Rules(verb) => rules::run(settings, &verb).await,
            Verb::DeadLetters(verb) => dead_letters::run(settings, &verb).await,
            Verb::Waiting(verb) => waiting::run(settings, &verb).await,
            Verb::Explain(args) => explain::run(settings, &args).await,
            Verb::Export(args) => Box::pin(person::export(settings, &args)).await,
            Verb::Erase(args) => Box::pin(person::erase(settings, &args)).await,
            Verb::Keys(verb) => keys::run(settings, &verb).await,
            Verb::Generate(_) => Ok(ExitCode::SUCCESS),
        }
    }))
}

impl Settings {
    /// Loads the stream folder; its faults are reported all at once.
    fn domain(&self) -> Result<Arc<Domain>, Failure> {
        let source = self.streams.clone().map_or(DomainSource::BuiltIn, DomainSource::Folder);
        Domain::load(&source).map(Arc::new).map_err(Failure::Configuration)
    }

    fn store(&self, domain: Arc<Domain>) -> Result<Store, Failure> {
        let url = self.database_url.as_deref().ok_or_else(|| {
            Failure::Configuration(vec![
                "DATABASE_URL is not set\n  hint: set it to postgres://user:password@host:port/database".into(),
            ])
        })?;
        let store = Store::new(url, domain)
            .map_err(|error| Failure::Configuration(vec![format!("DATABASE_URL cannot be read: {error}")]))?;
        Ok(store.with_keys(self.keys.ring()?))
    }

    /// Who gives this command.
    fn operator(&self) -> Operator {
        Operator::here(self.actor.as_deref())
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        Ok(self.store(self.domain()?)?.connect_unhurried().await?)
    }

    async fn source(&self, domain: Arc<Domain>) -> Result<Source, Failure> {
        Ok(Source::connect(&self.nats_url, domain, Health::default()).await?)
    }
}

/// Refuses to work on a database of another version.
async fn verify_version(connection: &mut Connection) -> Result<(), Failure> {
    connection.verify_version().await?.map_err(|fault| Failure::Configuration(vec![fault]))?;
    connection.verify_keys().await?.map_err(|fault| Failure::Configuration(vec![fault]))
}

/// Writes data to stdout; a reader that went away is no fault.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
