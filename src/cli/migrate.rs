//! `milepost migrate`: create or change the tables of both stores.

use std::process::ExitCode;

use super::{Settings, print};
use crate::error::Failure;
use crate::sink::Sink;
use crate::sink::migrate::MigrationError;

/// Arguments of `milepost migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Roll back this many migrations instead: of Postgres, or with --analytics of ClickHouse
    #[arg(long, value_name = "N", conflicts_with = "status")]
    down: Option<usize>,
    /// Only show what is applied
    #[arg(long)]
    status: bool,
    /// Only ClickHouse
    #[arg(long)]
    analytics: bool,
}

/// A store and one of its migrations, as it is printed.
struct Line {
    store: &'static str,
    number: i64,
    description: String,
    is_applied: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let sink = settings.sink.sink()?;
    if args.analytics && sink.is_none() {
        let fault = "CLICKHOUSE_URL is not set\n  hint: set it to http://user:password@host:port";
        return Err(Failure::Configuration(vec![fault.into()]));
    }
    let is_postgres_too = !args.analytics;
    match (args.status, args.down) {
        (true, _) => status(settings, is_postgres_too, sink.as_ref()).await?,
        (false, Some(count)) if is_postgres_too => down_postgres(settings, count).await?,
        (false, Some(count)) => down_clickhouse(sink.as_ref(), count).await?,
        (false, None) => up(settings, is_postgres_too, sink.as_ref()).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(settings: &Settings, is_postgres_too: bool, sink: Option<&Sink>) -> Result<(), Failure> {
    let mut is_changed = false;
    if is_postgres_too {
        let mut connection = settings.connection().await?;
        for step in connection.migrate().await? {
            is_changed = true;
            Line::of_postgres(step).print("applied")?;
        }
        connection.make_current_months().await?;
    }
    match sink {
        Some(sink) => {
            for step in sink.migrate().await.map_err(|error| of_clickhouse(error, is_postgres_too))? {
                is_changed = true;
                Line::of_clickhouse(step).print("applied")?;
            }
        }
        None => eprintln!("CLICKHOUSE_URL is not set: Postgres only"),
    }
    if !is_changed {
        print("nothing to do: the database is up to date")?;
    }
    Ok(())
}

async fn status(settings: &Settings, is_postgres_too: bool, sink: Option<&Sink>) -> Result<(), Failure> {
    if is_postgres_too {
        for step in settings.connection().await?.migrations().await? {
            Line::of_postgres(step).print_state()?;
        }
    }
    match sink {
        Some(sink) => {
            for step in sink.migrations().await? {
                Line::of_clickhouse(step).print_state()?;
            }
        }
        None => eprintln!("CLICKHOUSE_URL is not set: Postgres only"),
    }
    Ok(())
}

async fn down_postgres(settings: &Settings, count: usize) -> Result<(), Failure> {
    for step in settings.connection().await?.migrate_down(count).await? {
        Line::of_postgres(step).print("rolled back")?;
    }
    Ok(())
}

async fn down_clickhouse(sink: Option<&Sink>, count: usize) -> Result<(), Failure> {
    let Some(sink) = sink else {
        return Ok(());
    };
    for step in sink.migrate_down(count).await.map_err(|error| of_clickhouse(error, false))? {
        Line::of_clickhouse(step).print("rolled back")?;
    }
    Ok(())
}

/// What is done stays done: the same command goes on from there.
fn of_clickhouse(error: MigrationError, is_postgres_done: bool) -> Failure {
    let done = if is_postgres_done { "Postgres is up to date; " } else { "" };
    let again = match error {
        MigrationError::Ledger(_) => String::new(),
        _ => {
            format!("\n  hint: {done}run `milepost migrate` again when ClickHouse answers and CLICKHOUSE_URL is right")
        }
    };
    Failure::Failed(anyhow::Error::new(error).context(format!("ClickHouse was not migrated{again}")))
}

impl Line {
    fn of_postgres(step: crate::store::migrate::Step) -> Self {
        let crate::store::migrate::Step { version, description, is_applied } = step;
        Self { store: "postgres", number: version, description, is_applied }
    }

    fn of_clickhouse(step: crate::sink::migrate::Step) -> Self {
        let crate::sink::migrate::Step { version, description, is_applied } = step;
        Self { store: "clickhouse", number: version.into(), description, is_applied }
    }

    fn print(&self, what: &str) -> Result<(), Failure> {
        print(&format!("{what:<11} {:<10} {:04} {}", self.store, self.number, self.description))
    }

    fn print_state(&self) -> Result<(), Failure> {
        self.print(if self.is_applied { "applied" } else { "missing" })
    }
}
