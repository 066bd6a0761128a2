//! `milepost archive`: old months of the event store to files, and out of the database if wanted.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use super::{Settings, print};
use crate::archive::{archive, drop_month};
use crate::error::Failure;

/// Arguments of `milepost archive`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first month that stays, as YYYY-MM: all before it are archived
    #[arg(long, value_name = "MONTH", value_parser = month)]
    before: NaiveDate,
    /// Folder for the files
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Drop each month once its file is written and proved
    #[arg(long)]
    drop: bool,
}

fn month(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| "write a month like 2025-01".to_owned())
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let now = Utc::now();
    let kept_since =
        domain.claims_kept.and_then(|kept| now.checked_sub_signed(chrono::TimeDelta::from_std(kept).ok()?));
    let latest = first_of_month(kept_since.unwrap_or(now));
    if args.before > latest {
        let what =
            if kept_since.is_some() { "retention.claims keeps what is younger" } else { "this month is not over" };
        let fault =
            format!("{} is too late: {what}\n  hint: --before {}", args.before.format("%Y-%m"), latest.format("%Y-%m"));
        return Err(Failure::Configuration(vec![fault]));
    }
    let mut connection = settings.store(domain)?.connect_unhurried().await?;
    super::verify_version(&mut connection).await?;
    std::fs::create_dir_all(&args.to)?;
    let operator = settings.operator();
    let mut code = ExitCode::SUCCESS;
    for month in connection.months_before(args.before).await? {
        let objections = if args.drop { connection.objections(&month).await? } else { Vec::new() };
        if !objections.is_empty() {
            print(&format!("{} is not archived: {}", month.partition, objections.join("; ")))?;
            code = ExitCode::from(1);
            continue;
        }
        let Some(manifest) = archive(&mut connection, &month, &args.to).await? else {
            continue; // an empty month costs nothing and needs no file
        };
        print(&format!("{}: {} events in {}", month.partition, manifest.events, manifest.file))?;
        if args.drop {
            drop_month(&mut connection, &month, &args.to, &manifest, &operator).await?;
            print(&format!("{}: dropped", month.partition))?;
        }
    }
    Ok(code)
}

fn first_of_month(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive().with_day(1).unwrap_or_default()
}
