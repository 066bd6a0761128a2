//! `milepost replay`: history through the pipeline once more.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use uuid::Uuid;

use super::audited::audited;
use super::{Settings, print};
use crate::batch::Telling;
use crate::envelope::parse_uuid;
use crate::error::Failure;
use crate::instant;
use crate::replay::file::Log;
use crate::replay::selection::{Glob, Selection};
use crate::replay::{self, From, Options, Progress, Summary};
use crate::store::audit_logs::Change;

/// Time between two log lines, where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `milepost replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where history comes from: `log` (the event store), `stream`, or a file with one event per line, plain, gzip or
    /// zstd (`-` is stdin; a file of the name log is `./log`)
    #[arg(long, value_name = "log|stream|FILE")]
    from: String,
    /// Only what happened at or after this moment; from the stream, what it took then
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what happened before this moment; from the stream, what it took then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only events of these types: `*` stands for any characters, `?` for one
    #[arg(long = "type", value_name = "GLOB")]
    types: Option<String>,
    /// Only events whose data names this person, in whichever field
    #[arg(long, value_name = "UUID")]
    user: Option<String>,
    /// Of the stream, begin here
    #[arg(long, value_name = "N")]
    from_sequence: Option<u64>,
    /// Of the stream, end here
    #[arg(long, value_name = "N")]
    until_sequence: Option<u64>,
    /// Change nothing, and say what would become of each event if its batch were replayed by itself
    #[arg(long)]
    dry_run: bool,
    /// Begin at the beginning, also where an interrupted replay of the same would go on
    #[arg(long)]
    anew: bool,
    /// Tell the outside what this changes for people, as if it happened now
    #[arg(long)]
    tell: bool,
    /// Most events in one transaction
    #[arg(long, default_value = "200", value_name = "N")]
    batch: NonZeroUsize,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let mut faults = Vec::new();
    let selection = args.selection(&mut faults);
    let log = args.log(&mut faults);
    args.check_sequences(&mut faults);
    if !faults.is_empty() {
        return Err(Failure::Configuration(faults));
    }
    let domain = settings.domain()?;
    let store = settings.store(domain.clone())?;
    let mut connection = store.connect().await?;
    super::verify_version(&mut connection).await?;
    // On a database without events this puts the rules in force: a change.
    if !args.dry_run {
        connection.verify_rules().await?.map_err(|fault| Failure::Configuration(vec![fault]))?;
    }
    drop(connection);
    let from = match log {
        Some(log) => From::File(log),
        None if args.from == "log" => From::Store,
        None => {
            let source = Box::new(settings.source(domain).await?);
            From::Stream { source, first: args.from_sequence, last: args.until_sequence }
        }
    };
    let options = Options {
        from,
        selection,
        telling: if args.tell { Telling::Told } else { Telling::Silent },
        is_rehearsal: args.dry_run,
        is_anew: args.anew,
        events_max: args.batch.get(),
    };
    let mut teller = Teller::new()?;
    let replaying = async { Ok(replay::replay(&store, &options, &mut |progress| teller.tell(progress)).await?) };
    let replayed = match args.dry_run {
        true => Box::pin(replaying).await,
        false => {
            let from = json!({"from": args.from, "type": args.types, "since": args.since, "until": args.until,
                "user": args.user.is_some(), "tell": args.tell});
            let change = Change::of("replay", "event_log", from);
            let tell = |summary: &Summary| json!({"summary": summary});
            audited(&store, &settings.operator(), &change, replaying, tell).await
        }
    };
    teller.bar.finish_and_clear();
    print(&serde_json::to_string(&replayed?)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn selection(&self, faults: &mut Vec<String>) -> Selection {
        let mut time = |name: &str, text: &Option<String>| -> Option<DateTime<Utc>> {
            let text = text.as_ref()?;
            let parsed = instant::parse(text);
            if parsed.is_none() {
                faults.push(format!("--{name} {text:?} is no time\n  hint: write it as 2026-01-31T00:00:00Z"));
            }
            parsed
        };
        let (since, until) = (time("since", &self.since), time("until", &self.until));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            faults.push("--since is not before --until: nothing lies between\n  hint: swap them".into());
        }
        let types = self.types.as_ref().map(|text| Glob::parse(text)).transpose().unwrap_or_else(|fault| {
            faults.push(format!("--type: {fault}"));
            None
        });
        let user: Option<Uuid> = self.user.as_ref().and_then(|text| {
            let parsed = parse_uuid(text);
            if parsed.is_none() {
                faults.push(format!(
                    "--user {text:?} is no UUID\n  hint: 36 characters, as 0190b8a2-0000-7000-8000-000000000001"
                ));
            }
            parsed
        });
        Selection { since, until, types, user }
    }

    /// The file that is meant, if one is.
    fn log(&self, faults: &mut Vec<String>) -> Option<Log> {
        match self.from.as_str() {
            "log" | "stream" => None,
            "-" => Some(Log::Stdin),
            path => Log::open(Path::new(path))
                .map_err(|error| {
                    faults.push(format!("cannot read {path}: {error}\n  hint: --from takes log, stream or a file"));
                })
                .ok(),
        }
    }

    fn check_sequences(&self, faults: &mut Vec<String>) {
        if self.from != "stream" && (self.from_sequence.is_some() || self.until_sequence.is_some()) {
            faults.push("--from-sequence and --until-sequence are of the stream\n  hint: say --from stream".into());
        }
        if self.from_sequence.zip(self.until_sequence).is_some_and(|(first, last)| first > last) {
            faults.push("--from-sequence is after --until-sequence\n  hint: swap them".into());
        }
    }
}

/// Says how far it is: a bar on a terminal, else a log line every few seconds.
struct Teller {
    bar: ProgressBar,
    began: Instant,
    /// How much of the way was done at the first look, by an earlier run.
    from: Option<u64>,
    logged: Instant,
}

impl Teller {
    fn new() -> Result<Self, Failure> {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = "{bar:40} {percent}% {eta} left, {msg}";
        bar.set_style(ProgressStyle::with_template(style).map_err(anyhow::Error::from)?);
        Ok(Self { bar, began: Instant::now(), from: None, logged: Instant::now() })
    }

    #[expect(clippy::cast_precision_loss, reason = "for people")]
    fn tell(&mut self, progress: &Progress) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let per_second = (progress.read as f64 / seconds).round();
        let counts = &progress.counts;
        let done = progress.done.saturating_sub(*self.from.get_or_insert(progress.done));
        if std::io::stderr().is_terminal() {
            if let Some(of) = progress.of {
                self.bar.set_length(of);
            }
            self.bar.set_position(progress.done);
            self.bar.set_message(format!("{} read, {} applied, {per_second}/s", counts.read, counts.applied));
        } else if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            let left = |of: u64| (seconds * of.saturating_sub(progress.done) as f64 / done as f64).round();
            let left = progress.of.filter(|_| done > 0).map(left);
            tracing::info!(
                read = counts.read,
                applied = counts.applied,
                duplicates = counts.duplicates,
                per_second,
                seconds_left = left,
                "replaying"
            );
        }
    }
}
