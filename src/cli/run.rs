//! `milepost run`: the service.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Settings, print};
use crate::error::Failure;
use crate::health::Health;
use crate::service::{self, Options, Parts};
use crate::source::FetchLimits;
use crate::{http, metrics};

/// Arguments of `milepost run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Workers in this process, each with its own connection to Postgres
    #[arg(long, default_value = "1", value_name = "N")]
    workers: NonZeroUsize,
    /// End with 0 once stream and waiting events are drained, and print a summary as JSON
    #[arg(long)]
    until_idle: bool,
    /// Parts to run; without it, all
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
    /// Most messages in one batch
    #[arg(long, default_value = "1000", value_name = "N")]
    batch: NonZeroUsize,
    /// Most payload bytes in one batch
    #[arg(long, default_value = "16777216", value_name = "BYTES")]
    batch_bytes: NonZeroUsize,
    /// Where to serve /metrics, /healthz and /readyz
    #[arg(long, env = "MILEPOST_HTTP_ADDR", default_value = "127.0.0.1:9464", value_name = "ADDRESS")]
    http_addr: SocketAddr,
}

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Events into Postgres, and waiting events released
    Project,
    /// Flags that change by the passing of time
    Timers,
    /// Own events to the stream
    Outbox,
    /// Stored events into ClickHouse
    Analytics,
    /// Messages of the stream that were never handled are found and handled
    Audit,
}

impl Args {
    fn parts(&self) -> Parts {
        let runs = |part| self.only.is_empty() || self.only.contains(&part);
        Parts {
            project: runs(Part::Project),
            timers: runs(Part::Timers),
            outbox: runs(Part::Outbox),
            analytics: runs(Part::Analytics),
            audit: runs(Part::Audit),
        }
    }
}

pub(super) async fn run(settings: &Settings, args: &Args) -> Result<ExitCode, Failure> {
    let domain = settings.domain()?;
    let store = settings.store(domain.clone())?;
    let health = Health::default();
    let sink = settings.sink.sink()?;
    let stop = stop_on_signal()?;
    let listener = http::bind(args.http_addr).await.map_err(|error| {
        let hint = "hint: another milepost may run; set MILEPOST_HTTP_ADDR to another port, or to port 0 for any";
        Failure::Configuration(vec![format!("cannot listen on {}: {error}\n  {hint}", args.http_addr)])
    })?;
    tracing::info!(address = %listener.local_addr()?, "serving /metrics, /healthz and /readyz");
    let handle = metrics::install(&domain)?;
    let serving = tokio::spawn(http::serve(listener, handle, health.clone(), stop.clone()));
    // Everything that may be missing is waited for, but a database of another version is a mistake.
    let Some(mut connection) = service::persist("postgres", &health, &stop, async || store.connect().await).await
    else {
        return Ok(ExitCode::SUCCESS);
    };
    super::verify_version(&mut connection).await?;
    connection.verify_rules().await?.map_err(|fault| Failure::Configuration(vec![fault]))?;
    drop(connection);
    let mut parts = args.parts();
    if parts.analytics && sink.is_none() {
        tracing::info!("CLICKHOUSE_URL is not set: nothing is fed to ClickHouse");
        parts.analytics = false;
    }
    let options = Options {
        nats_url: settings.nats_url.clone(),
        workers: args.workers.get(),
        limits: FetchLimits { messages: args.batch.get(), bytes: args.batch_bytes.get() },
        until_idle: args.until_idle,
        parts,
        sink,
    };
    if !args.only.is_empty() {
        tracing::info!(parts = ?args.only, "running only these parts");
    }
    let summary = Box::pin(service::run(options, store, serving, health, stop)).await?;
    if args.until_idle {
        print(&serde_json::to_string(&summary)?)?;
    }
    tracing::info!(received = summary.received, applied = summary.applied, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// A token that is cancelled by SIGTERM or SIGINT; a second signal ends the process at once, which is safe.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        for is_second in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if is_second {
                std::process::exit(1);
            }
            tracing::info!("stopping: finishing the batch in flight");
            token.cancel();
        }
    });
    Ok(stop)
}
