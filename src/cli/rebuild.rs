//! `milepost rebuild`: tables made anew from the event store, beside those that are read.

mod tables;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::audited::audited;
use super::{Settings, print};
use crate::analytics::rebuild::{self, Built, drop_previous, rebuild_span, roll_back};
use crate::error::Failure;
use crate::sink::Sink;
use crate::store::Store;
use crate::store::audit_logs::{Change, Operator};

/// What the tables in ClickHouse are called together.
const ANALYTICS: &str = "analytics";

/// Arguments of `milepost rebuild`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tables of Postgres, or "analytics": all tables in ClickHouse
    #[arg(value_name = "TABLE", required_unless_present_any = ["all", "rollback", "drop_previous"])]
    what: Vec<String>,
    /// All tables of Postgres that follow from the events
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Build and compare with what is read, and leave it at that, unless --swap is given too
    #[arg(long)]
    diff: bool,
    /// Put what was built in the place of what is read, if it is proved to be right; the default without --diff
    #[arg(long)]
    swap: bool,
    /// Rebuild only what happened at or after this moment, in place: the partitions concerned are replaced (analytics)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["diff", "swap", "rollback", "drop_previous"])]
    since: Option<DateTime<Utc>>,
    /// Rebuild only what happened before this moment, in place (analytics)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["diff", "swap", "rollback", "drop_previous"])]
    until: Option<DateTime<Utc>>,
    /// Go back to the generation before
    #[arg(long, conflicts_with_all = ["diff", "swap", "drop_previous"])]
    rollback: bool,
    /// Drop the tables of the generation before
    #[arg(long, conflicts_with_all = ["diff", "swap"])]
    drop_previous: bool,
    /// Show the values of rows that differ: they may be personal (Postgres)
    #[arg(long)]
    values: bool,
    /// Connections that fill tables (Postgres)
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// As JSON (Postgres)
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    match args.what.iter().any(|what| what == ANALYTICS) {
        true => Box::pin(run_analytics(settings, args)).await,
        false => Box::pin(tables::run(settings, args)).await,
    }
}

async fn run_analytics(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    if args.what.len() > 1 || args.values || args.json {
        let fault = "analytics is rebuilt alone, without --values and --json\n  hint: rebuild it in a call of its own";
        return Err(Failure::Configuration(vec![fault.into()]));
    }
    let store = settings.store(settings.domain()?)?;
    let sink = settings.sink.sink()?.ok_or_else(|| {
        Failure::Configuration(vec![
            "CLICKHOUSE_URL is not set\n  hint: set it to http://user:password@host:8123".into(),
        ])
    })?;
    let mut connection = store.connect().await?;
    super::verify_version(&mut connection).await?;
    if !args.drop_previous && !args.rollback {
        connection.verify_whole().await?;
    }
    drop(connection);
    sink.verify_version().await?.map_err(|fault| Failure::Configuration(vec![fault]))?;
    let operator = settings.operator();
    let change = |action, details| Change::of(action, "analytics", details);
    if args.rollback {
        let change = change("rebuild.rollback", json!({}));
        let work = async { Ok(roll_back(&store, &sink).await?) };
        let tell = |generation: &i32| json!({ "generation": generation });
        let generation = audited(&store, &operator, &change, work, tell).await?;
        print(&format!("generation {generation} is read again; the feed brings it up to date"))?;
    } else if args.drop_previous {
        let change = change("rebuild.drop_previous", json!({}));
        let work = async { Ok(drop_previous(&store, &sink).await?) };
        let tell = |is_dropped: &bool| json!({ "is_dropped": is_dropped });
        let is_dropped = audited(&store, &operator, &change, work, tell).await?;
        print(if is_dropped { "dropped the generation before" } else { "nothing to drop" })?;
    } else if args.since.is_some() || args.until.is_some() {
        let change = change("rebuild.span", json!({"since": args.since, "until": args.until}));
        let work = async { Ok(rebuild_span(&store, &sink, args.since, args.until).await?) };
        let tell = |(ranges, partitions): &(usize, Vec<String>)| json!({"ranges": ranges, "partitions": partitions});
        let (ranges, partitions) = audited(&store, &operator, &change, work, tell).await?;
        print(&format!("replaced {ranges} ranges in {} partitions: {}", partitions.len(), partitions.join(", ")))?;
    } else {
        return Box::pin(build(&store, &sink, &operator, args)).await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn build(store: &Store, sink: &Sink, operator: &Operator, args: &Args) -> Result<ExitCode, Failure> {
    let is_exchanged = args.swap || !args.diff;
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} positions, {per_sec}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let building = rebuild::rebuild(store, sink, is_exchanged, args.diff, |at, of| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(at.unsigned_abs());
    });
    let change = Change::of("rebuild", "analytics", json!({"swap": is_exchanged, "diff": args.diff}));
    let tell = |built: &Built| {
        json!({"generation": built.generation, "events": built.events,
                                      "problems": built.proof.problems.len()})
    };
    let built = audited(store, operator, &change, async { Ok(building.await?) }, tell).await?;
    bar.finish_and_clear();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = built.events as f64 / built.seconds.max(0.001);
    print(&format!(
        "generation {}: {} events in {:.1} s ({rate:.0}/s)",
        built.generation, built.events, built.seconds
    ))?;
    let mut code = ExitCode::SUCCESS;
    if let Some(difference) = &built.difference {
        print(&format!(
            "compared with what was read: {} rows only there, {} only in the new one, {} different{}",
            difference.only_one,
            difference.only_other,
            difference.different,
            if difference.some.is_empty() { String::new() } else { format!(" (positions {}, …)", difference.some) },
        ))?;
        if !difference.some.is_empty() {
            code = ExitCode::from(1);
        }
    }
    for problem in &built.proof.problems {
        print(&format!("problem: {problem}"))?;
    }
    if !built.proof.problems.is_empty() {
        return Ok(ExitCode::from(1));
    }
    print(match is_exchanged {
        true => {
            "it is what is read now; the generation before is kept until `milepost rebuild analytics --drop-previous`"
        }
        false => "not exchanged; `milepost rebuild analytics --swap` does that",
    })?;
    Ok(code)
}
