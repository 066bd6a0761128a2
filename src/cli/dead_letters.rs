//! `milepost dead-letters`: look at messages that could not be applied, and try them again.

mod redrive;
mod tell;

use std::process::ExitCode;

use chrono::{DateTime, Utc};

use super::{Settings, print};
use crate::error::Failure;
use crate::event::Reason;
use crate::store::dead_letters::{Place, Selection};

/// Letters read at a time.
const PAGE: i64 = 500;

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List them, in the order of the stream
    List {
        #[command(flatten)]
        which: Which,
        /// Also those that were redriven or discarded
        #[arg(long)]
        resolved: bool,
        /// At most so many; without it 100, and with --json all
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
        /// Go on after the one with this number
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one with its raw bytes, and what was said of it before
    Show {
        /// Its number
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send them through the pipeline again, in batches; what is done stays done when it is interrupted
    Redrive {
        #[command(flatten)]
        target: Target,
        /// Try, tell what would become of them, and change nothing. Each batch is tried in a transaction that is rolled
        /// back: so what depends on a letter of another batch is said to wait
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give them up: they stay in the table and in the books
    Discard {
        #[command(flatten)]
        target: Target,
        /// Why, for those who come after you; required where they are not named by number
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Only count them
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is to be changed: by number, by filter, or all.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Their numbers
    ids: Vec<i64>,
    /// All open ones
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    which: Which,
    /// At most so many, those first in the stream
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only with this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only of these event types: * stands for any text, ? for any character
    #[arg(long = "type", value_name = "GLOB")]
    types: Option<String>,
    /// Only those met at or after this moment, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    // What goes through the pipeline goes as batches do, within their deadlines and by their plans.
    let mut connection = match verb {
        Verb::Redrive { .. } => settings.store(settings.domain()?)?.connect().await?,
        _ => settings.connection().await?,
    };
    super::verify_version(&mut connection).await?;
    match verb {
        Verb::List { which, resolved, limit, after, json } => {
            let selection = which.selection(Vec::new(), *resolved)?;
            let place = match after {
                Some(id) => tell::place(&mut connection, *id).await?,
                None => Place::default(),
            };
            tell::list(&mut connection, &selection, place, *limit, *json).await
        }
        Verb::Show { id, json } => tell::show(&mut connection, *id, *json).await,
        Verb::Redrive { target, dry_run, json } => {
            let order = target.order(settings, *dry_run);
            Box::pin(redrive::redrive_all(&mut connection, &order, target, *json)).await
        }
        Verb::Discard { target, note, dry_run, json } => {
            if note.is_none() && target.ids.is_empty() {
                let fault = "why are they given up?\n  hint: say it with --note; it is kept with each of them";
                return Err(Failure::Configuration(vec![fault.into()]));
            }
            let order = target.order(settings, *dry_run);
            redrive::discard_all(&mut connection, &order, target, note.as_deref(), *json).await
        }
    }
}

impl Target {
    fn selection(&self) -> Result<Selection, Failure> {
        let Which { reason, types, since } = &self.which;
        if self.ids.is_empty() && !self.all && reason.is_none() && types.is_none() && since.is_none() {
            let fault = "which dead letters?\n  hint: give their numbers, --reason, --type, --since or --all";
            return Err(Failure::Configuration(vec![fault.into()]));
        }
        self.which.selection(self.ids.clone(), false)
    }

    fn order(&self, settings: &Settings, is_rehearsal: bool) -> crate::redrive::Order {
        let Which { reason, types, since } = &self.which;
        let filter = serde_json::json!({"ids": !self.ids.is_empty(), "all": self.all, "reason": reason, "type": types,
                                        "since": since, "limit": self.limit});
        crate::redrive::Order { operator: settings.operator(), filter, is_rehearsal }
    }
}

impl Which {
    fn selection(&self, ids: Vec<i64>, resolved_too: bool) -> Result<Selection, Failure> {
        if let Some(reason) =
            self.reason.as_ref().filter(|reason| !Reason::ALL.iter().any(|known| known.code() == *reason))
        {
            let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
            let fault = format!("there is no reason {reason:?}\n  hint: one of {}", known.join(", "));
            return Err(Failure::Configuration(vec![fault]));
        }
        let (reason, types) = (self.reason.clone(), self.types.clone());
        Ok(Selection { ids, reason, types, since: self.since, resolved_too, up_to: None })
    }
}
