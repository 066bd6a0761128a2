//! ClickHouse on the real engine: what the feed relies on.

mod failures; // what is said about servers that are gone, silent, busy or refuse
mod formats; // how values are written, and a checksum that both sides compute
mod generations; // tables that are exchanged, months that are replaced, rows that are deleted
mod inserts; // one body, one block, once
mod migrations; // up, down, killed in between

use milepost::feed::Frame;
use milepost::sink::{Error, Sink};
use uuid::Uuid;

/// Columns of `events_raw`.
const COLUMNS: [&str; 17] = [
    "position",
    "event_id",
    "event_type",
    "family",
    "version",
    "user_id",
    "company_id",
    "campaign_id",
    "program_id",
    "event_time",
    "received_at",
    "correlation_id",
    "minutes",
    "rating",
    "points",
    "amount",
    "payload",
];

/// A row as it goes over the wire: 30 minutes of a person of their own, of one company.
fn line(position: u64, event_time: &str) -> String {
    let [event, user] = [1_u128 << 64, 2 << 64].map(|kind| Uuid::from_u128(kind + u128::from(position)));
    let company = Uuid::from_u128(3 << 64);
    format!(
        "{position}\t{event}\tmentor.met\tmentor\tv1\t{user}\t{company}\t\\N\t\\N\t{event_time}\t{event_time}\t\\N\t30\t4.5\t\\N\t\\N\t{{\"n\": {position}}}\n"
    )
}

/// Rows of positions, all at one time.
fn lines(positions: std::ops::Range<u64>, event_time: &str) -> Frame {
    Frame::of(positions.map(|position| line(position, event_time)).collect::<String>().as_bytes())
}

/// Inserts as the feed does.
async fn insert(sink: &Sink, body: Frame, token: &str) -> Result<(), Error> {
    sink.insert("events_raw", &COLUMNS, "TabSeparated", body, &[("insert_deduplication_token", token)]).await
}

/// Rows, events, minutes and people, in `events_raw` and `events_aggregated`.
const SUMS: &str = "select (select (count(), count(), sum(minutes), uniq(user_id)) from events_raw) as raw,
    (select (toUInt64(raw.1), sum(events), sum(minutes), uniqMerge(people)) from events_aggregated) as aggregated";
