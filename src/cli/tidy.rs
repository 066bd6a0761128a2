//! `milepost tidy`: prune what `[retention]` says need not be kept, now.

use std::process::ExitCode;

use serde_json::json;

use super::audited::audited;
use super::{Settings, print};
use crate::error::Failure;
use crate::retention::prune;
use crate::store::audit_logs::Change;

/// Arguments of `milepost tidy`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Say what would be pruned, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let Some(claims) = domain.claims_kept else {
        print("stream.toml has no retention.claims: claims are kept for ever, and there is nothing to prune")?;
        return Ok(ExitCode::SUCCESS);
    };
    let store = settings.store(domain)?;
    let mut connection = store.connect().await?;
    super::verify_version(&mut connection).await?;
    let kept = humantime::format_duration(claims);
    if args.dry_run {
        drop(connection);
        let count = settings.connection().await?.prunable_claims(claims).await?;
        print(&format!("{count} claims are older than {kept} and would shrink to their ids"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let change = Change::of("tidy", "event_deduplication", json!({}));
    let pruning = async {
        let hint = "hint: a running service prunes by itself";
        let pruned = prune(&mut connection, claims, |_| true).await?;
        Ok(pruned.ok_or_else(|| anyhow::anyhow!("another process is at it\n  {hint}"))?)
    };
    let count = audited(&store, &settings.operator(), &change, pruning, |count| json!({ "claims": count })).await?;
    print(&format!("pruned {count} claims older than {kept}; their ids are kept"))?;
    Ok(ExitCode::SUCCESS)
}
