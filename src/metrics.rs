//! Every metric, with its meaning. Updated per batch, never per event; no ids in labels.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::analytics;
use crate::audit::Audit;
use crate::batch::Ledger;
use crate::domain::Domain;
use crate::event::Outcome;
use crate::store::statistics::Statistics;

/// Messages by how they ended (labels: stream, result). Transitions: a waiting event counts again as released.
pub const EVENTS: &str = "milepost_events_total";
/// Messages in the stream that are not handled yet.
pub const LAG_MESSAGES: &str = "milepost_lag_messages";
/// Age of the oldest message that a stage has not handled yet (label: stage).
pub const LAG_SECONDS: &str = "milepost_lag_seconds";
/// Time from a message's publication to its commit; the oldest message of each batch.
pub const COMMIT_LATENCY: &str = "milepost_commit_latency_seconds";
/// Time that one batch took, from begin to commit.
pub const BATCH_SECONDS: &str = "milepost_batch_seconds";
/// Messages in a batch.
pub const BATCH_EVENTS: &str = "milepost_batch_events";
/// Events held back now.
pub const WAITING: &str = "milepost_waiting_events";
/// Messages in open dead letters.
pub const DEAD_LETTERS: &str = "milepost_dead_letters";
/// Transactions that were tried again (label: cause).
pub const RETRIES: &str = "milepost_batch_retries_total";
/// Messages delivered again after they had been handled.
pub const REDELIVERED: &str = "milepost_fetch_redelivered_total";
/// Times that the connection to NATS was lost, and other events of the client (label: event).
pub const SOURCE_EVENTS: &str = "milepost_source_events_total";

/// Timers that fired: a person's flags were evaluated because time had passed.
pub const TIMERS_FIRED: &str = "milepost_timer_fired_total";
/// Timers that are due and did not fire yet.
pub const TIMERS_DUE: &str = "milepost_timer_due";
/// Events of our own that are to be published.
pub const OUTBOX: &str = "milepost_outbox_events";
/// Events of our own that were published.
pub const PUBLISHED: &str = "milepost_outbox_published_total";

/// Stored events that were carried into ClickHouse.
pub const FED: &str = "milepost_analytics_rows_total";
/// Time from sealing a range to marking it, tries included.
pub const RANGE_SECONDS: &str = "milepost_analytics_range_seconds";
/// Tries to carry a range that failed (label: cause).
pub const FEED_RETRIES: &str = "milepost_analytics_retries_total";
/// Positions of the event store that are not in ClickHouse yet.
pub const FEED_LAG: &str = "milepost_analytics_lag_rows";
/// 1 in the process that feeds ClickHouse, 0 in those that stand by.
pub const FEEDING: &str = "milepost_analytics_feeding";

/// Messages that were neither handled nor will be delivered, as the last audit found them.
pub const AUDIT_MISSING: &str = "milepost_audit_missing_messages";
/// Of these, messages that the stream holds no more.
pub const AUDIT_LOST: &str = "milepost_audit_lost_messages";
/// Missing messages that were looked up in the stream and handled.
pub const AUDIT_FILLED: &str = "milepost_audit_filled_total";
/// When books and stream were last compared, in seconds since 1970.
pub const AUDIT_LAST: &str = "milepost_audit_last_success_timestamp_seconds";
/// 1 while the stream is not the one that the books are about, and nothing is taken from it.
pub const AUDIT_BROKEN: &str = "milepost_audit_stream_broken";

/// Claims that were pruned: their ids are kept.
pub const PRUNED: &str = "milepost_retention_pruned_total";

/// The result of a waiting event that was projected.
const RELEASED: &str = "released";
/// Why carrying a range may fail.
const FEED_CAUSES: [&str; 7] = ["postgres", "busy", "unavailable", "silent", "fault", "differs", "lease"];

/// Installs the recorder and registers every counter at zero.
///
/// # Errors
/// When a recorder is installed already.
pub fn install(domain: &Domain) -> Result<PrometheusHandle, BuildError> {
    let seconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
    let events = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
        .set_buckets_for_metric(Matcher::Full(BATCH_EVENTS.into()), &events)?
        .install_recorder()?;
    describe();
    for result in Outcome::ALL.iter().map(|outcome| outcome.label()).chain([RELEASED]) {
        counter!(EVENTS, "stream" => domain.stream.name.clone(), "result" => result).absolute(0);
    }
    for (name, help) in &domain.counters {
        let name = domain_counter(name);
        describe_counter!(name.clone(), help.clone());
        counter!(name).absolute(0);
    }
    for cause in ["contended", "unavailable", "silent", "in_doubt"] {
        counter!(RETRIES, "cause" => cause).absolute(0);
    }
    for cause in FEED_CAUSES {
        counter!(FEED_RETRIES, "cause" => cause).absolute(0);
    }
    for name in [REDELIVERED, TIMERS_FIRED, PUBLISHED, FED, AUDIT_FILLED, PRUNED] {
        counter!(name).absolute(0);
    }
    for stage in ["commit", "timers", "outbox", "analytics"] {
        gauge!(LAG_SECONDS, "stage" => stage).set(0.0);
    }
    for name in [LAG_MESSAGES, WAITING, DEAD_LETTERS, TIMERS_DUE, OUTBOX, FEED_LAG, FEEDING] {
        gauge!(name).set(0.0);
    }
    Ok(handle)
}

fn describe() {
    describe_counter!(EVENTS, "messages by how they ended; a waiting event counts again when released");
    describe_gauge!(LAG_MESSAGES, "messages in the stream that are not handled yet");
    describe_gauge!(LAG_SECONDS, Unit::Seconds, "age of the oldest message that a stage has not handled");
    describe_histogram!(COMMIT_LATENCY, Unit::Seconds, "publication to commit, the oldest message of each batch");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "time that one batch took, from begin to commit");
    describe_histogram!(BATCH_EVENTS, "messages in a batch");
    describe_gauge!(WAITING, "events held back until what they refer to exists");
    describe_gauge!(DEAD_LETTERS, "messages in open dead letters");
    describe_counter!(RETRIES, "transactions that were tried again");
    describe_counter!(REDELIVERED, "messages delivered again after they had been handled");
    describe_counter!(TIMERS_FIRED, "people whose flags were evaluated because time had passed");
    describe_gauge!(TIMERS_DUE, "timers that are due and did not fire yet");
    describe_gauge!(OUTBOX, "events of our own that are to be published");
    describe_counter!(PUBLISHED, "events of our own that were published");
    describe_counter!(FED, "stored events that were carried into ClickHouse");
    describe_histogram!(RANGE_SECONDS, Unit::Seconds, "time from sealing a range to marking it");
    describe_counter!(FEED_RETRIES, "tries to carry a range that failed");
    describe_gauge!(FEED_LAG, "positions of the event store that are not in ClickHouse yet");
    describe_gauge!(FEEDING, "1 in the process that feeds ClickHouse, 0 in those that stand by");
    describe_gauge!(AUDIT_MISSING, "messages neither handled nor to be delivered, as the last audit found them");
    describe_gauge!(AUDIT_LOST, "of these, messages that the stream holds no more");
    describe_counter!(AUDIT_FILLED, "missing messages that were looked up in the stream and handled");
    describe_gauge!(AUDIT_LAST, Unit::Seconds, "when books and stream were last compared, since 1970");
    describe_gauge!(AUDIT_BROKEN, "1 while the stream is not the one that the books are about");
    describe_counter!(PRUNED, "claims that were pruned; their ids are kept");
    describe_counter!(SOURCE_EVENTS, "events of the connection to NATS");
}

/// Messages of a committed batch.
pub fn ended(stream: &str, outcome: Outcome, count: u64) {
    if count > 0 {
        counter!(EVENTS, "stream" => stream.to_owned(), "result" => outcome.label()).increment(count);
    }
}

/// Waiting events that were projected.
pub fn released(stream: &str, count: u64) {
    if count > 0 {
        counter!(EVENTS, "stream" => stream.to_owned(), "result" => RELEASED).increment(count);
    }
}

/// What projections of a committed batch counted: such things are worth an operator's look.
pub fn counted_by_domain(ledger: &Ledger) {
    for (name, count) in &ledger.counted {
        counter!(domain_counter(name)).increment(*count);
        tracing::warn!(counter = name, count, "counted by a projection");
    }
}

/// A transaction is tried again.
pub fn retried(cause: &'static str) {
    counter!(RETRIES, "cause" => cause).increment(1);
}

/// A batch was committed.
pub fn batch(events: usize, seconds: f64, latency_seconds: Option<f64>, redelivered: u64) {
    histogram!(BATCH_SECONDS).record(seconds);
    #[expect(clippy::cast_precision_loss, reason = "a batch is far smaller than 2^52")]
    histogram!(BATCH_EVENTS).record(events as f64);
    if let Some(latency) = latency_seconds {
        histogram!(COMMIT_LATENCY).record(latency);
    }
    if redelivered > 0 {
        counter!(REDELIVERED).increment(redelivered);
    }
}

/// What stands out, as of now.
#[expect(clippy::cast_precision_loss, reason = "gauges are doubles; beyond 2^52 the last digits do not matter")]
pub fn standing(lag_messages: u64, lag_seconds: f64, statistics: &Statistics) {
    gauge!(LAG_MESSAGES).set(lag_messages as f64);
    gauge!(LAG_SECONDS, "stage" => "commit").set(lag_seconds);
    gauge!(LAG_SECONDS, "stage" => "timers").set(statistics.timers_late_seconds);
    gauge!(LAG_SECONDS, "stage" => "outbox").set(statistics.unpublished_seconds);
    gauge!(WAITING).set(statistics.waiting as f64);
    gauge!(DEAD_LETTERS).set(statistics.dead_letters as f64);
    gauge!(TIMERS_DUE).set(statistics.timers_due as f64);
    gauge!(OUTBOX).set(statistics.unpublished as f64);
}

/// Timers were fired.
pub fn timers_fired(count: usize) {
    counter!(TIMERS_FIRED).increment(count as u64);
}

/// Events of our own were published.
pub fn relayed(count: usize) {
    counter!(PUBLISHED).increment(count as u64);
}

/// A range was carried.
pub fn fed(events: i64, seconds: f64) {
    counter!(FED).increment(events.unsigned_abs());
    histogram!(RANGE_SECONDS).record(seconds);
}

/// Carrying a range failed and is tried again.
pub fn feed_retried(error: &analytics::Error) {
    counter!(FEED_RETRIES, "cause" => error.cause()).increment(1);
}

/// Whether this process feeds.
pub fn feeding(is_ours: bool) {
    gauge!(FEEDING).set(f64::from(u8::from(is_ours)));
}

/// How far ClickHouse is behind.
#[expect(clippy::cast_precision_loss, reason = "gauges are doubles; beyond 2^52 the last digits do not matter")]
pub fn feed_lag(rows: i64, seconds: f64) {
    gauge!(FEED_LAG).set(rows as f64);
    gauge!(LAG_SECONDS, "stage" => "analytics").set(seconds);
}

/// Books and stream were compared.
#[expect(clippy::cast_precision_loss, reason = "gauges are doubles; beyond 2^52 the last digits do not matter")]
pub fn audited(audit: &Audit) {
    gauge!(AUDIT_MISSING).set(audit.missing as f64);
    gauge!(AUDIT_LOST).set(audit.lost as f64);
    gauge!(AUDIT_LAST).set(chrono::Utc::now().timestamp() as f64);
    gauge!(AUDIT_BROKEN).set(f64::from(u8::from(audit.broken.is_some())));
}

/// Missing messages were handled.
pub fn filled(count: u64) {
    counter!(AUDIT_FILLED).increment(count);
}

/// Claims were pruned.
pub fn pruned(count: u64) {
    counter!(PRUNED).increment(count);
}

/// An event of the NATS client.
pub fn source_event(event: &'static str) {
    counter!(SOURCE_EVENTS, "event" => event).increment(1);
}

fn domain_counter(name: &str) -> String {
    format!("milepost_{name}_total")
}
