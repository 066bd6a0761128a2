//! A stored event as a row of analytics: without personal data, with what its contract measures.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use siphasher::sip::SipHasher24;
use uuid::Uuid;

use super::document::{self, Stripped};
use super::layout::{ABSENT, FIELD_END, Layout};
use crate::contract::upcast::Step;
use crate::domain::Domain;
use crate::{envelope, instant};

/// Digits after the point that measures keep.
const MEASURE_DIGITS: u32 = 6;

/// An event as the store has it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the store.
    pub position: i64,
    /// Its identity.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The version of its contract.
    pub version: String,
    /// The person whom it names, as text.
    pub user_id: Option<String>,
    /// When it happened, by its envelope.
    pub timestamp: DateTime<Utc>,
    /// When the stream took it.
    pub received_at: DateTime<Utc>,
    /// For tracing.
    pub correlation_id: Option<Uuid>,
    /// The document.
    pub payload: String,
}

/// A row, but for what the event does not name itself.
#[derive(Debug, Clone)]
pub struct Row {
    position: i64,
    event_id: Uuid,
    event_type: String,
    version: String,
    /// The event's person.
    pub user_id: Option<Uuid>,
    dimensions: Vec<Option<Uuid>>,
    /// The data's own time where the contract names one, else the envelope's.
    pub event_time: DateTime<Utc>,
    received_at: DateTime<Utc>,
    correlation_id: Option<Uuid>,
    measures: Vec<Option<Decimal>>,
    payload: String,
}

/// What is known of people: per person, in the order of time, the dimensions that something said.
#[derive(Debug, Default)]
pub struct Known(pub HashMap<Uuid, Vec<Told>>);

/// Since when, and what of each dimension.
pub type Told = (DateTime<Utc>, Vec<Option<Uuid>>);

/// Rows as they are sent: tab separated, with their number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The names of the columns.
    pub columns: String,
    /// Lines.
    pub text: Vec<u8>,
    /// How many.
    pub events: i64,
    /// As [`Layout::hash`] computes it from the table.
    pub hash: u64,
}

impl Body {
    /// No rows yet.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        Self { columns: layout.columns().join("\t"), text: Vec::new(), events: 0, hash: 0 }
    }
}

/// The data of an old version, as its contract reads it; as far as it can be brought into that form.
fn upcast_data(payload: &str, upcast: &[Step]) -> Map<String, Value> {
    let document: Value = serde_json::from_str(payload).unwrap_or_default();
    let mut data = document.get("data").cloned().unwrap_or_default();
    // The first step that fails ends it: such an event is a dead letter, and not stored.
    drop(upcast.iter().try_for_each(|step| step.apply(&mut data)));
    match data {
        Value::Object(data) => data,
        _ => Map::new(),
    }
}

impl Row {
    /// Reads a stored event. Without a contract it has no dimensions and measures; of one that fits its contract no more,
    /// those that do are taken.
    #[must_use]
    pub fn of(domain: &Domain, layout: &Layout, stored: Stored) -> Self {
        let reading = domain.reading_of(&stored.event_type, &stored.version);
        let contract = reading.map(|(index, _)| &domain.contracts[index]);
        let analytics = contract.map(|contract| &contract.analytics);
        let wanted = analytics.map_or(const { &BTreeSet::new() }, |analytics| &analytics.fields);
        let Stripped { text: payload, picked: mut data } = document::strip(&stored.payload, &layout.personal, wanted);
        if let Some((_, upcast @ [_, ..])) = reading {
            data = upcast_data(&stored.payload, upcast);
        }
        data.retain(|name, value| contract.is_some_and(|contract| contract.fits(name, value)));
        let data = Value::Object(data);
        let text_at = |field: Option<&String>| data.get(field?)?.as_str();
        // An id of zeros is how some publishers write that there is none.
        let dimension = |name: &String| {
            text_at(analytics?.dimensions.get(name)).and_then(envelope::parse_uuid).filter(|id| !id.is_nil())
        };
        let measure = |name: &String| analytics?.measures.get(name)?.of(&data);
        let user = text_at(contract.and_then(|contract| contract.user.as_ref())).or(stored.user_id.as_deref());
        let time = text_at(contract.and_then(|contract| contract.time.as_ref())).and_then(instant::parse);
        Self {
            user_id: user.and_then(envelope::parse_uuid),
            dimensions: layout.dimensions.iter().map(dimension).collect(),
            measures: layout.measures.iter().map(measure).collect(),
            event_time: time.unwrap_or(stored.timestamp),
            payload,
            position: stored.position,
            event_id: stored.event_id,
            event_type: stored.event_type,
            version: stored.version,
            received_at: stored.received_at,
            correlation_id: stored.correlation_id,
        }
    }

    /// Whether something is to be asked about its person.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.user_id.is_some() && self.dimensions.iter().any(Option::is_none)
    }

    /// Fills in what the event does not name from what is known of its person.
    pub fn complete(&mut self, known: &Known) {
        let Some(history) = self.user_id.and_then(|person| known.0.get(&person)) else {
            return;
        };
        for (index, dimension) in self.dimensions.iter_mut().enumerate().filter(|(_, value)| value.is_none()) {
            let mut told = history
                .iter()
                .filter_map(|(since, values)| Some((*since, (*values.get(index)?).filter(|id| !id.is_nil())?)));
            let first = told.clone().next();
            let latest = told.by_ref().take_while(|(since, _)| *since <= self.event_time).last();
            *dimension = latest.or(first).map(|(_, value)| value);
        }
    }

    /// Adds the row to what is to be sent.
    pub fn write(&self, layout: &Layout, body: &mut Body) {
        let family = self.event_type.split('.').next().unwrap_or_default();
        let mut line =
            Line { text: &mut body.text, said: Vec::with_capacity(self.payload.len() + 512), is_first: true };
        line.field("position", Some(&self.position.to_string()));
        line.uuid("event_id", Some(self.event_id));
        line.field("event_type", Some(&self.event_type));
        line.field("family", Some(family));
        line.field("version", Some(&self.version));
        line.uuid("user_id", self.user_id);
        layout.dimensions.iter().zip(&self.dimensions).for_each(|(column, id)| line.uuid(column, *id));
        line.field("event_time", Some(&moment(self.event_time)));
        line.field("received_at", Some(&moment(self.received_at)));
        line.uuid("correlation_id", self.correlation_id);
        for (column, number) in layout.measures.iter().zip(&self.measures) {
            line.field(column, number.map(decimal).as_deref());
        }
        line.field("payload", Some(&self.payload));
        body.hash = body.hash.wrapping_add(SipHasher24::new().hash(&line.said));
        body.text.push(b'\n');
        body.events += 1;
    }
}

/// A line in the making: escaped as ClickHouse's TabSeparated wants it, and hashed as it is.
struct Line<'b> {
    text: &'b mut Vec<u8>,
    /// What is hashed. All at once, because that is much faster.
    said: Vec<u8>,
    is_first: bool,
}

impl Line<'_> {
    fn uuid(&mut self, column: &str, id: Option<Uuid>) {
        let mut buffer = Uuid::encode_buffer();
        self.field(column, id.map(|id| &*id.hyphenated().encode_lower(&mut buffer)));
    }

    fn field(&mut self, column: &str, value: Option<&str>) {
        if !self.is_first {
            self.text.push(b'\t');
        }
        self.is_first = false;
        let Some(value) = value else {
            return self.text.extend_from_slice(ABSENT.as_bytes());
        };
        for part in [column.as_bytes(), b"=", value.as_bytes(), &[FIELD_END]] {
            self.said.extend_from_slice(part);
        }
        self.text.extend_from_slice(escape(value).as_bytes());
    }
}

fn escape(value: &str) -> Cow<'_, str> {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for letter in value.chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// As ClickHouse writes a `DateTime64(6)`.
fn moment(at: DateTime<Utc>) -> String {
    let date = at.date_naive();
    let mut text = String::with_capacity(26);
    digits(&mut text, u32::try_from(date.year()).unwrap_or_default(), 1000);
    for (sign, number) in
        [('-', date.month()), ('-', date.day()), (' ', at.hour()), (':', at.minute()), (':', at.second())]
    {
        text.push(sign);
        digits(&mut text, number, 10);
    }
    text.push('.');
    digits(&mut text, at.timestamp_subsec_micros(), 100_000);
    text
}

/// A number with all its digits, also zeros, from that of this weight on.
fn digits(text: &mut String, number: u32, first: u32) {
    let weights = std::iter::successors(Some(first), |weight| Some(weight / 10).filter(|weight| *weight > 0));
    text.extend(weights.filter_map(|weight| char::from_digit(number / weight % 10, 10)));
}

/// As ClickHouse writes a decimal: without zeros at the end.
fn decimal(number: Decimal) -> String {
    use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    number.round_dp_with_strategy(MEASURE_DIGITS, MidpointAwayFromZero).normalize().to_string()
}
