//! `milepost rebuild --all` and `milepost rebuild TABLE…`: tables of Postgres.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::audited::audited;
use super::super::{Settings, print, verify_version};
use super::Args;
use crate::error::Failure;
use crate::rebuild::{Built, Difference, Order, Plan, Progress, drop_previous, rebuild, roll_back};
use crate::store::audit_logs::Change;

/// What the tables of Postgres are called together in the audit log.
const TABLES: &str = "tables";

/// How far it is, for people.
#[derive(Debug, Clone)]
struct Bar(ProgressBar);

impl Progress for Bar {
    fn filled(&self, events: u64) {
        self.0.inc(events);
    }

    fn total(&self, positions: u64) {
        self.0.set_length(positions);
    }

    fn stage(&self, what: &'static str) {
        tracing::info!("{what}");
        self.0.set_message(what);
    }
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    if args.since.is_some() || args.until.is_some() {
        let fault = "--since and --until are for analytics\n  hint: tables of Postgres are rebuilt whole";
        return Err(Failure::Configuration(vec![fault.into()]));
    }
    let domain = settings.domain()?;
    if domain.tables.is_empty() {
        let fault = "stream.toml declares no tables that follow from the events\n  hint: name them under [tables]";
        return Err(Failure::Configuration(vec![fault.into()]));
    }
    let plan = match args.all || args.what.is_empty() {
        true => Plan::all(&domain),
        false => Plan::of(&domain, &args.what).map_err(|fault| Failure::Configuration(vec![fault]))?,
    };
    let store = settings.store(domain)?;
    let mut connection = store.connect().await?;
    verify_version(&mut connection).await?;
    let operator = settings.operator();
    if args.drop_previous {
        let change = Change::of("rebuild.drop_previous", TABLES, json!({}));
        let work = async { Ok(drop_previous(&store).await?) };
        let is_dropped =
            audited(&store, &operator, &change, work, |is_dropped| json!({"is_dropped": is_dropped})).await?;
        print(if is_dropped { "dropped the generation before" } else { "nothing to drop" })?;
        return Ok(ExitCode::SUCCESS);
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} events, {per_sec}, {eta} left");
    let bar = Bar(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
    let workers = usize::from(args.workers);
    let tables = args.what.clone();
    let made = |built: &Built| json!({"events": built.events, "is_swapped": built.is_swapped, "tables": built.tables});
    let built = if args.rollback {
        let change = Change::of("rebuild.rollback", TABLES, json!({"tables": tables}));
        let work = async { Ok(roll_back(&store, workers, bar.clone()).await?) };
        audited(&store, &operator, &change, work, made).await?
    } else {
        connection.verify_whole().await?;
        let (is_compared, is_swapped) = (args.diff, args.swap || !args.diff);
        let order = Order { plan, is_compared, is_swapped, with_values: args.values, workers };
        let work = async { Ok(rebuild(&store, order, bar.clone()).await?) };
        match is_swapped {
            true => {
                let change = Change::of("rebuild", TABLES, json!({"tables": tables, "diff": is_compared}));
                audited(&store, &operator, &change, work, made).await?
            }
            // To compare changes nothing.
            false => Box::pin(work).await?,
        }
    };
    bar.0.finish_and_clear();
    match args.json {
        true => print(&serde_json::to_string(&built)?)?,
        false => tell(args, &built)?,
    }
    let is_well = built.is_same() && built.unvalidated.is_empty();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn tell(args: &Args, built: &Built) -> Result<(), Failure> {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = built.events as f64 / built.seconds.max(0.001);
    let (events, tables, seconds, alone) = (built.events, built.tables, built.seconds, built.alone_seconds);
    let what = if args.rollback { "brought up to date with" } else { "rebuilt from" };
    print(&format!(
        "{tables} tables {what} {events} events in {seconds:.1} s ({rate:.0}/s); batches waited {alone:.2} s"
    ))?;
    if args.diff {
        tell_differences(built)?;
    }
    for key in &built.unvalidated {
        print(&format!(
            "problem: rows of the foreign key {key} refer to what is not in the new tables\n  hint: `milepost rebuild --rollback`"
        ))?;
    }
    print(match (built.is_swapped, args.rollback) {
        (true, true) => "the generation before is read again; that which was read is kept in its place",
        (true, false) => {
            "they are what is read now; the generation before is kept until `milepost rebuild --drop-previous`"
        }
        (false, _) => "not swapped; `--swap` does that",
    })
}

fn tell_differences(built: &Built) -> Result<(), Failure> {
    for lack in &built.lacks.some {
        print(&format!("without effect: {} {}: {}", lack.event_type, lack.event_id, lack.why))?;
    }
    if built.lacks.events > 0 {
        print(&format!("{} events have their effect in the live tables and none in the new ones", built.lacks.events))?;
    }
    for difference in &built.differences {
        let Difference { table, only_live, only_rebuilt, different, rows } = difference;
        print(&format!(
            "{table}: {only_live} rows only there, {only_rebuilt} only in the new one, {different} different"
        ))?;
        for row in rows {
            let columns = if row.columns.is_empty() { String::new() } else { format!(": {}", row.columns.join(", ")) };
            print(&format!("  {} {}{columns}", row.kind, row.key))?;
            if !row.live.is_null() || !row.rebuilt.is_null() {
                print(&format!("    there {}\n    new   {}", row.live, row.rebuilt))?;
            }
            if !row.events.is_empty() {
                let events: Vec<String> = row.events.iter().map(ToString::to_string).collect();
                print(&format!("    events {}", events.join(" ")))?;
            }
        }
    }
    let compared = built.compared;
    match built.is_same() {
        true => print(&format!("{compared} tables compared: no difference")),
        false => print(&format!("{compared} tables compared: {} differ", built.differences.len())),
    }
}
