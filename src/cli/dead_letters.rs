//! `milepost dead-letters`: look at messages that could not be applied, and try them again.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Settings, print};
use crate::error::Failure;
use crate::event::Reason;
use crate::redrive::{Redriven, redrive};
use crate::store::Connection;
use crate::store::dead_letters::{Letter, Raw, Selection};

/// Letters read at a time.
const PAGE: i64 = 500;

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List them, oldest first
    List {
        #[command(flatten)]
        which: Which,
        /// Also those that were redriven or discarded
        #[arg(long)]
        resolved: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one with its raw bytes
    Show {
        /// Its number
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send them through the pipeline again
    Redrive {
        /// Their numbers
        ids: Vec<i64>,
        /// All open ones
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give them up: they stay in the table and in the books
    Discard {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only with this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only of this event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    let mut connection = settings.connection().await?;
    super::verify_version(&mut connection).await?;
    match verb {
        Verb::List { which, resolved, json } => {
            let selection = which.selection(Vec::new(), *resolved)?;
            list(&mut connection, &selection, *json).await
        }
        Verb::Show { id, json } => show(&mut connection, *id, *json).await,
        Verb::Redrive { ids, all, which, json } => {
            if ids.is_empty() && !all && which.reason.is_none() && which.event_type.is_none() {
                let fault = "which dead letters?\n  hint: give their numbers, --reason, --type or --all";
                return Err(Failure::Configuration(vec![fault.into()]));
            }
            redrive_all(&mut connection, which.selection(ids.clone(), false)?, *json).await
        }
        Verb::Discard { ids, json } => {
            let count = connection.discard(ids).await?;
            print(&if *json { json!({ "discarded": count }).to_string() } else { format!("discarded {count}") })?;
            Ok(if count > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
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
        Ok(Selection { ids, reason: self.reason.clone(), event_type: self.event_type.clone(), resolved_too })
    }
}

fn as_json(letter: &Letter) -> Value {
    json!({
        "id": letter.id, "subject": letter.subject, "reason": letter.reason, "field": letter.field,
        "message": letter.message, "count": letter.count, "first_seq": letter.first_seq, "last_seq": letter.last_seq,
        "first_seen": letter.first_seen, "last_seen": letter.last_seen, "event_id": letter.event_id,
        "event_type": letter.event_type, "attempts": letter.attempts, "resolution": letter.resolution,
    })
}

async fn list(connection: &mut Connection, selection: &Selection, as_array: bool) -> Result<ExitCode, Failure> {
    let mut letters = Vec::new();
    loop {
        let after = letters.iter().map(|letter: &Letter| letter.id).max().unwrap_or_default();
        let page = connection.dead_letters(selection, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        letters.extend(page);
    }
    // Numbers follow the order of locking within a batch, not that of the stream.
    letters.sort_by_key(|letter| (letter.first_seq, letter.id));
    if as_array {
        print(&Value::Array(letters.iter().map(as_json).collect()).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if letters.is_empty() {
        print("no dead letters")?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{:>6} {:>6}  {:<16} {:<32} what is wrong", "id", "count", "reason", "subject"))?;
    for letter in &letters {
        let field = letter.field.as_deref().map(|field| format!("{field}: ")).unwrap_or_default();
        let state = letter.resolution.as_deref().map(|state| format!(" [{state}]")).unwrap_or_default();
        print(&format!(
            "{:>6} {:>6}  {:<16} {:<32} {field}{}{state}",
            letter.id, letter.count, letter.reason, letter.subject, letter.message
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(connection: &mut Connection, id: i64, whole: bool) -> Result<ExitCode, Failure> {
    let selection = Selection { ids: vec![id], resolved_too: true, ..Selection::default() };
    let letters = connection.dead_letters(&selection, 0, 1).await?;
    let (Some(letter), Some(raw)) = (letters.first(), connection.dead_letter_raw(id).await?) else {
        return Err(Failure::Failed(anyhow::anyhow!("there is no dead letter {id}")));
    };
    if whole {
        print(&show_json(letter, &raw).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Value::Object(fields) = as_json(letter) {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            print(&format!("{name:<12} {text}"))?;
        }
    }
    if let Some(headers) = &raw.headers {
        print(&format!("{:<12} {headers}", "headers"))?;
    }
    match std::str::from_utf8(&raw.payload) {
        Ok(text) => print(&format!("{:<12} {text}", "payload"))?,
        Err(_) => print(&format!("{:<12} {} (base64)", "payload", STANDARD.encode(&raw.payload)))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show_json(letter: &Letter, raw: &Raw) -> Value {
    let mut whole = as_json(letter);
    whole["payload_base64"] = STANDARD.encode(&raw.payload).into();
    whole["payload"] = std::str::from_utf8(&raw.payload).ok().into();
    let headers = raw.headers.as_deref().and_then(|text| serde_json::from_str(text).ok());
    whole["headers"] = headers.unwrap_or_default();
    whole
}

async fn redrive_all(connection: &mut Connection, selection: Selection, as_object: bool) -> Result<ExitCode, Failure> {
    let run_id = Uuid::now_v7();
    let (mut taken, mut refused, mut after) = (0, 0, 0);
    loop {
        let page = connection.dead_letters(&selection, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id;
        for letter in &page {
            let Some(raw) = connection.dead_letter_raw(letter.id).await? else {
                continue;
            };
            match redrive(connection, letter, raw, run_id).await? {
                Redriven::Taken(outcome) => {
                    taken += 1;
                    tracing::info!(id = letter.id, outcome = outcome.label(), "redriven");
                }
                Redriven::Refused(rejection) => {
                    refused += 1;
                    tracing::warn!(
                        id = letter.id,
                        reason = rejection.reason.code(),
                        message = rejection.message,
                        "still dead"
                    );
                }
                Redriven::Resolved => {}
            }
        }
    }
    print(&match as_object {
        true => json!({ "redriven": taken, "refused": refused }).to_string(),
        false => format!("redriven {taken}, still dead {refused}"),
    })?;
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
