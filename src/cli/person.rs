//! `milepost export` and `milepost erase`: what a person may ask for.

use std::process::ExitCode;

use serde_json::{Value, json};
use uuid::Uuid;

use super::audited::audited;
use super::{Settings, print, verify_version};
use crate::batch::Message;
use crate::domain::{Domain, Privacy};
use crate::error::Failure;
use crate::person::{self, Receipt};
use crate::store::audit_logs::Change;

/// Whose data.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The person's id, or one that they had
    user: Uuid,
    /// The id of their request, if it is known by one
    #[arg(long, value_name = "ID")]
    request: Option<Uuid>,
}

/// Whom to forget.
#[derive(Debug, clap::Args)]
pub(super) struct EraseArgs {
    /// The person's id, or one that they had
    user: Uuid,
    /// The id of their request, if it is known by one
    #[arg(long, value_name = "ID")]
    request: Option<Uuid>,
    /// Say what it would reach, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn export(settings: &Settings, args: &ExportArgs) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let privacy = privacy(&domain)?;
    let store = settings.store(std::sync::Arc::clone(&domain))?;
    let mut connection = store.connect_unhurried().await?;
    verify_version(&mut connection).await?;
    let change = change("person.export", args.user, json!({"request": args.request}));
    let request = args.request.unwrap_or_else(Uuid::now_v7);
    let work = async {
        let Some(held) = person::export(&mut connection, privacy, args.user).await? else { return Ok(None) };
        let told = person::tell(&mut connection, &privacy.exported, (args.user, request), false).await?;
        Ok(Some((held, told)))
    };
    let done = audited(&store, &settings.operator(), &change, work, |_| Value::Null).await?;
    let Some((held, told)) = done else { return Err(nobody(args.user)) };
    print(&serde_json::to_string_pretty(&held)?)?;
    if let Some(event) = told {
        publish(settings, domain, &event).await;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn erase(settings: &Settings, args: &EraseArgs) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let privacy = privacy(&domain)?;
    let ring = settings.keys.required()?;
    let store = settings.store(std::sync::Arc::clone(&domain))?;
    let mut connection = store.connect_unhurried().await?;
    verify_version(&mut connection).await?;
    let who = (args.user, args.request.unwrap_or_else(Uuid::now_v7));
    let work = Box::pin(async { Ok(person::erase(&mut connection, privacy, &ring, who, args.dry_run).await?) });
    let receipt = match args.dry_run {
        true => work.await?,
        false => {
            let change = change("person.erase", args.user, json!({"request": args.request}));
            let told = |receipt: &Option<Receipt>| receipt.as_ref().map_or(Value::Null, Receipt::as_json);
            audited(&store, &settings.operator(), &change, work, told).await?
        }
    };
    let Some(receipt) = receipt else { return Err(nobody(args.user)) };
    let mut told = receipt.as_json();
    told["published"] = (!args.dry_run && publish(settings, domain, &receipt.event).await).into();
    print(&serde_json::to_string_pretty(&told)?)?;
    Ok(ExitCode::SUCCESS)
}

fn privacy(domain: &Domain) -> Result<&Privacy, Failure> {
    domain.privacy.as_ref().ok_or_else(|| {
        Failure::Configuration(vec![
            "the stream folder does not say what is held of a person\n  hint: [privacy] in stream.toml".to_owned(),
        ])
    })
}

fn nobody(person: Uuid) -> Failure {
    let hint = "hint: ids of people are in `users.id`; an id that they had is as good";
    anyhow::anyhow!("nobody is known by the id {person}\n  {hint}").into()
}

fn change(action: &'static str, person: Uuid, details: Value) -> Change {
    Change { resource_id: Some(person), ..Change::of(action, "users", details) }
}

/// Others who read the stream, and whoever replays it, are to know as well. Here it has had its effect already.
async fn publish(settings: &Settings, domain: std::sync::Arc<Domain>, event: &Message) -> bool {
    let publishing = async {
        let source = settings.source(domain).await?;
        let id = event.content.as_ref().map(|event| event.id).unwrap_or_default();
        let text = String::from_utf8_lossy(&event.payload);
        source.publish(&id.to_string(), &event.subject, &text).await?.arrived().await?;
        Ok::<_, Failure>(())
    };
    match publishing.await {
        Ok(()) => true,
        Err(failure) => {
            let Failure::Failed(error) = failure else { return false };
            tracing::warn!(error = %error, "the event could not be published: a replay of the stream alone does not know of it");
            false
        }
    }
}
