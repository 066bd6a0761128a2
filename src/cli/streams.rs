//! `milepost streams`: is the stream folder valid, and is JetStream as it says?

use std::process::ExitCode;

use serde_json::json;

use super::{Settings, print};
use crate::error::Failure;
use crate::store::audit_logs::Change;
use crate::topology::{self, Applied, Comparison, Difference};

/// What to do with the stream folder.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Check contracts, SQL (prepared against the database) and JetStream; changes nothing
    Check,
    /// Create or update the JetStream stream and its consumer
    Apply {
        /// Read a stream that was deleted and created again from now on
        #[arg(long)]
        adopt: bool,
    },
}

pub(super) async fn run(settings: &Settings, verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Check => check(settings).await,
        Verb::Apply { adopt } => apply(settings, *adopt).await,
    }
}

async fn check(settings: &Settings) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let mut connection = settings.store(domain.clone())?.connect_unhurried().await?;
    super::verify_version(&mut connection).await?;
    let mut faults = connection.check_domain().await;
    let source = settings.source(domain.clone()).await?;
    let (stream, consumer) = topology::compare(&source.context, &domain).await?;
    faults.extend(differences(&format!("stream {:?}", domain.stream.name), &stream));
    faults.extend(differences(&format!("consumer {:?}", domain.consumer.durable), &consumer));
    if !faults.is_empty() {
        return Err(Failure::Configuration(faults));
    }
    let projections = domain.projections.iter().flatten().count();
    print(&format!(
        "{}: {} contracts, {} upcasts, {projections} projections, {} derived tables, {} flags, {} milestones and {} imports are valid; \
         JetStream is as stream.toml says",
        domain.name,
        domain.contracts.len(),
        domain.upcasts.count(),
        domain.derivations.len(),
        domain.journey.flags.len(),
        domain.journey.milestones.len(),
        domain.imports.declarations.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn differences(what: &str, comparison: &Comparison) -> Vec<String> {
    let hint = "\n  hint: run `milepost streams apply`";
    match comparison {
        Comparison::Absent => vec![format!("JetStream has no {what}{hint}")],
        Comparison::Present(differences) => {
            differences.iter().map(|difference| describe(what, difference) + hint).collect()
        }
    }
}

fn describe(what: &str, difference: &Difference) -> String {
    format!("{what}: {} is {}, the file says {}", difference.setting, difference.has, difference.wants)
}

async fn apply(settings: &Settings, adopt: bool) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let source = settings.source(domain.clone()).await?;
    let (stream, consumer) = topology::apply(&source.context, &domain).await?;
    let is_changed = [&stream, &consumer].iter().any(|applied| !matches!(applied, Applied::Unchanged));
    for (what, applied) in [
        (format!("stream {:?}", domain.stream.name), stream),
        (format!("consumer {:?}", domain.consumer.durable), consumer),
    ] {
        match applied {
            Applied::Created => print(&format!("created {what}"))?,
            Applied::Unchanged => print(&format!("{what} is as stream.toml says"))?,
            Applied::Changed(differences) => {
                for difference in differences {
                    print(&format!("changed {}", describe(&what, &difference)))?;
                }
            }
        }
    }
    if adopt {
        let mut connection = settings.store(domain)?.connect_unhurried().await?;
        let state = source.stream_state().await?;
        connection.adopt(state.incarnation, state.first).await?;
        print(&format!("the stream created at {} is read from now on", state.incarnation.0))?;
    }
    if (is_changed || adopt)
        && let Err(failure) = audit(settings, adopt).await
    {
        tracing::warn!(?failure, "the change of JetStream is made, and is not in the audit log");
    }
    Ok(ExitCode::SUCCESS)
}

/// JetStream can be set up before Postgres is: what cannot be written down is no reason to fail.
async fn audit(settings: &Settings, adopt: bool) -> Result<(), Failure> {
    let mut connection = settings.connection().await?;
    super::verify_version(&mut connection).await?;
    let domain = connection.domain();
    let details = json!({"stream": domain.stream.name, "consumer": domain.consumer.durable, "adopted": adopt});
    Ok(connection.audit(&settings.operator(), &Change::of("streams.apply", "stream", details)).await?)
}
