//! `milepost migrate`: create or change the tables.

use std::process::ExitCode;

use super::{Settings, print};
use crate::error::Failure;
use crate::store::migrate::Step;

/// Arguments of `milepost migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Roll back this many migrations instead
    #[arg(long, value_name = "N", conflicts_with = "status")]
    down: Option<usize>,
    /// Only show what is applied
    #[arg(long)]
    status: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    if args.status {
        for step in connection.migrations().await? {
            print(&line(if step.is_applied { "applied" } else { "missing" }, &step))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(count) = args.down {
        for step in connection.migrate_down(count).await? {
            print(&line("rolled back", &step))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let steps = connection.migrate().await?;
    for step in &steps {
        print(&line("applied", step))?;
    }
    connection.make_current_months().await?;
    if steps.is_empty() {
        print("nothing to do: the database is up to date")?;
    }
    if std::env::var_os("CLICKHOUSE_URL").is_none() {
        eprintln!("CLICKHOUSE_URL is not set: Postgres only");
    }
    Ok(ExitCode::SUCCESS)
}

fn line(what: &str, step: &Step) -> String {
    format!("{what:<11} {:04} {}", step.version, step.description)
}
