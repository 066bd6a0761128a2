//! `milepost prove`: is every message of the stream accounted for?

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::audited::audited;
use super::{Settings, print};
use crate::analytics::proof::{FeedProof, prove_feed};
use crate::audit;
use crate::error::Failure;
use crate::prove::{self, Proof};
use crate::store::audit_logs::Change;

/// Arguments of `milepost prove`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Of ClickHouse, compare only what was received (and sums of hours that began) at or after this moment
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Replace in ClickHouse what differs, then prove again
    #[arg(long)]
    repair: bool,
    /// Give up messages that the stream holds no more and that were never handled: they are missed no longer
    #[arg(long)]
    write_off: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let sink = settings.sink.sink()?;
    if args.repair && sink.is_none() {
        let hint = "hint: --repair replaces what differs in ClickHouse";
        return Err(Failure::Configuration(vec![format!("CLICKHOUSE_URL is not set\n  {hint}")]));
    }
    let domain = settings.domain()?;
    let store = settings.store(domain.clone())?;
    let mut connection = store.connect_unhurried().await?;
    super::verify_version(&mut connection).await?;
    if args.repair {
        connection.verify_whole().await?;
    }
    let source = settings.source(domain).await?;
    if args.write_off {
        let gone = audit::write_off(&mut connection, &source, &settings.operator()).await?;
        tracing::warn!(messages = gone, "written off: lost before they were handled");
    }
    let mut proof = prove::prove(&mut connection, &source).await?;
    if let Some(sink) = sink {
        sink.verify_version().await?.map_err(|fault| Failure::Configuration(vec![fault]))?;
        let proving = async { Ok(prove_feed(&store, &sink, args.since, args.repair).await?) };
        let found = match args.repair {
            true => {
                let change = Change::of("prove.repair", "analytics", json!({"since": args.since}));
                let tell = |found: &FeedProof| json!({"repaired": found.repaired, "problems": found.problems.len()});
                audited(&store, &settings.operator(), &change, proving, tell).await?
            }
            false => proving.await?,
        };
        proof.ok &= found.problems.is_empty();
        proof.analytics = Some(found);
    }
    print(&if args.json { serde_json::to_string(&proof)? } else { describe(&proof) })?;
    Ok(if proof.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn listed(ranges: &[(u64, u64)]) -> String {
    let one = |(low, high): &(u64, u64)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn describe(proof: &Proof) -> String {
    let mut lines = vec![
        format!("received      {:>12}   messages of the stream that were handled, which are", proof.received),
        format!("  applied     {:>12}   had their effect", proof.applied),
        format!("  duplicates  {:>12}   their event had been taken before", proof.duplicates),
        format!("  waiting     {:>12}   held back until what they refer to exists", proof.waiting),
        format!("  unrouted    {:>12}   stored, without a contract", proof.unrouted),
        format!("  dead letters{:>12}   set aside with their raw bytes", proof.dead_letters),
        format!("  own         {:>12}   published by milepost itself", proof.own),
        format!("replayed      {:>12}   stored events that came from elsewhere than the stream", proof.replayed),
        format!("pending       {:>12}   still to be delivered", proof.pending),
        format!("missing       {:>12}   neither handled nor to be delivered", proof.missing),
    ];
    if !proof.missing_sequences.is_empty() {
        lines.push(format!("  sequences {}", listed(&proof.missing_sequences)));
    }
    if proof.lost > 0 {
        lines.push(format!("  lost        {:>12}   of these, gone from the stream", proof.lost));
        lines.push(format!("  sequences {}", listed(&proof.lost_sequences)));
    }
    match &proof.analytics {
        None => lines.push("CLICKHOUSE_URL is not set: nothing was compared with ClickHouse".to_owned()),
        Some(feed) => {
            lines.push(format!("in ClickHouse {:>12}   stored events, in {} ranges", feed.rows, feed.ranges));
            lines.push(format!("  unfed       {:>12}   stored events that are still to be fed", feed.unfed));
            lines.extend(feed.repaired.iter().map(|partition| format!("  repaired: partition {partition}")));
            lines.extend(feed.problems.iter().map(|problem| format!("problem: {problem}")));
        }
    }
    lines.extend(proof.problems.iter().map(|problem| format!("problem: {problem}")));
    lines.push(if proof.ok { "everything adds up".into() } else { "it does not add up".to_owned() });
    lines.join("\n")
}
