//! `milepost import`: files of other systems become events of the stream.
//!
//! Everything is checked before anything is published: every row against the contract of each event that it becomes,
//! every reference against the database and the other rows. Ids follow from what rows say, so an import that was
//! interrupted, or is repeated, publishes the same events, which the pipeline knows.

mod check;
mod report;
mod send;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::json;
use uuid::Uuid;

use super::audited::audited;
use super::{Settings, print};
use crate::domain::Domain;
use crate::error::Failure;
use crate::import::batch_event_id;
use crate::retry::Pause;
use crate::store::audit_logs::Change;
use crate::store::imports::First;
use crate::store::{Connection, Store};
use check::Checked;

/// How long another import is waited for: one that was killed lets go of its lock within a moment.
const LOCK_SECONDS_MAX: u64 = 5;

/// Arguments of `milepost import`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// CSV, JSON (an array, or an object with one in it) or NDJSON; snake_case or camelCase headers
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the rows are, as imports/ of the stream folder names it; without it, the headers tell
    #[arg(long, value_name = "NAME")]
    entity: Option<String>,
    /// Check everything, and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Import the rows that can be, and say which cannot
    #[arg(long)]
    partial: bool,
    /// Where the files come from, for the event about each file; without it, what the entity says
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Leave out these columns; any other that is not known is refused
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    without: Vec<String>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let domain = settings.domain()?;
    let only = entity(&domain, args)?;
    let store = settings.store(domain.clone())?;
    let mut connection = store.connect().await?;
    super::verify_version(&mut connection).await?;
    if !args.dry_run {
        become_the_only_one(&mut connection).await?;
    }
    let asked = check::Asked { only, source: args.source.as_deref(), without: &args.without };
    let mut checked = Checked::read(&domain, &args.files, &asked)?;
    checked.compare(&mut connection).await?;
    let is_stopped = !checked.faults.is_empty() && !args.partial;
    report::tell_faults(&checked);
    let published = match is_stopped || args.dry_run {
        true => BTreeMap::new(),
        false => publish(settings, args, &domain, &store, &mut connection, &checked).await?,
    };
    let way = report::Way { is_dry_run: args.dry_run, is_partial: args.partial, is_stopped, began };
    print(&serde_json::to_string(&report::summary(&domain, &checked, &published, &way))?)?;
    Ok(if is_stopped { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The entity that the operator names.
fn entity(domain: &Domain, args: &Args) -> Result<Option<usize>, Failure> {
    let Some(name) = &args.entity else {
        return Ok(None);
    };
    let declarations = &domain.imports.declarations;
    match declarations.iter().position(|declaration| declaration.entity == *name) {
        Some(index) => Ok(Some(index)),
        None => {
            let names: Vec<&str> = declarations.iter().map(|declaration| declaration.entity.as_str()).collect();
            let fault = format!("--entity {name:?} is none that can be imported\n  hint: one of {}", names.join(", "));
            Err(Failure::Configuration(vec![fault]))
        }
    }
}

async fn become_the_only_one(connection: &mut Connection) -> Result<(), Failure> {
    let mut pause = Pause::default();
    let deadline = Instant::now() + Duration::from_secs(LOCK_SECONDS_MAX);
    while !connection.may_import().await? {
        if Instant::now() > deadline {
            return Err(anyhow::anyhow!("another import is running\n  hint: wait for its end").into());
        }
        tokio::time::sleep(pause.longer()).await;
    }
    Ok(())
}

/// Publishes what is new, between two rows of the audit log; gives how many events of each file were published.
async fn publish(
    settings: &Settings,
    args: &Args,
    domain: &std::sync::Arc<Domain>,
    store: &Store,
    connection: &mut Connection,
    checked: &Checked,
) -> Result<BTreeMap<usize, u64>, Failure> {
    let imported_at = imported_at(domain, connection, checked).await?;
    if !checked.has_news(domain, connection, &imported_at).await? {
        return Ok(BTreeMap::new());
    }
    let source = settings.source(domain.clone()).await?;
    source.stream_state().await?; // there is a stream, before anything is written down
    let files: Vec<_> = checked
        .files
        .iter()
        .map(|file| {
            json!({"sha256": file.batch.sha256, "entity": file.batch.entity,
        "rows": file.batch.rows, "refused": file.refused()})
        })
        .collect();
    let details = json!({"files": files, "partial": args.partial, "source": args.source, "batches": imported_at});
    let sending = async { Ok(send::send(&source, domain, checked, &imported_at).await?) };
    let tell = |published: &BTreeMap<usize, u64>| json!({"published": published.values().sum::<u64>()});
    audited(store, &settings.operator(), &Change::of("import", "event_log", details), sending, tell).await
}

/// The moment of the first import of each file, which the event about the file tells: now, if this is it. A file of which
/// it was told, and is not known any more when, is none of these: it is not told of again.
async fn imported_at(
    domain: &Domain,
    connection: &mut Connection,
    checked: &Checked,
) -> Result<BTreeMap<Uuid, DateTime<Utc>>, Failure> {
    let batches = || checked.files.iter().map(|file| file.batch.id);
    let files = batches().filter_map(|batch| Some((batch, batch_event_id(domain, batch)?))).collect();
    let earlier = connection.first_imports(&files).await?;
    let now = Utc::now().trunc_subsecs(6);
    let at = |batch: Uuid| match earlier.get(&batch) {
        None => Some((batch, now)),
        Some(First::At(moment)) => Some((batch, *moment)),
        Some(First::Forgotten) => None,
    };
    Ok(batches().filter_map(at).collect())
}
