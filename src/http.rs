//! `/metrics`, `/healthz` and `/readyz`.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// Binds the address.
///
/// # Errors
/// When it is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until stopped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    health: Health,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let upkeep = metrics.clone();
    let routes = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(move || std::future::ready(ready(&health))))
        .route(
            "/metrics",
            get(move || {
                upkeep.run_upkeep();
                std::future::ready(([("content-type", "text/plain; version=0.0.4")], metrics.render()))
            }),
        );
    axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

fn ready(health: &Health) -> (StatusCode, String) {
    let complaints = health.complaints();
    let notes: String = health.notes().iter().map(|note| format!("degraded: {note}\n")).collect();
    match complaints.is_empty() {
        true => (StatusCode::OK, format!("ready\n{notes}")),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", complaints.join("\n"))),
    }
}
