//! A stored event as a row of analytics: without personal data, with what its contract measures.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher as _;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use siphasher::sip::SipHasher24;
use uuid::Uuid;

use super::layout::{ABSENT, FIELD_SEPARATOR, Layout};
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// Lines.
    pub text: Vec<u8>,
    /// How many.
    pub events: i64,
    /// As [`Layout::hash`] computes it from the table.
    pub hash: u64,
}

impl Row {
    /// Reads a stored event. One without a contract, or one that fits it no more, has no dimensions and measures.
    #[must_use]
    pub fn of(domain: &Domain, layout: &Layout, stored: Stored) -> Self {
        let mut document: Value = serde_json::from_str(&stored.payload).unwrap_or_default();
        let contract = domain.contract_of(&stored.event_type, &stored.version).map(|index| &domain.contracts[index]);
        let read = contract.and_then(|contract| {
            let mut data = document.get("data")?.clone();
            contract.read(&mut data).ok().map(|()| (contract, data))
        });
        strip(&mut document, &layout.personal);
        let text_at = |field: &Option<String>| {
            let (_, data) = read.as_ref()?;
            data.get(field.as_deref()?)?.as_str()
        };
        let column = |name: &String| {
            let (contract, data) = read.as_ref()?;
            data.get(contract.analytics.dimensions.get(name)?)?.as_str().and_then(envelope::parse_uuid)
        };
        let measure = |name: &String| {
            let (contract, data) = read.as_ref()?;
            contract.analytics.measures.get(name)?.of(data)
        };
        let user = contract.and_then(|contract| text_at(&contract.user)).or(stored.user_id.as_deref());
        let time = contract.and_then(|contract| text_at(&contract.time)).and_then(instant::parse);
        Self {
            user_id: user.and_then(envelope::parse_uuid),
            dimensions: layout.dimensions.iter().map(column).collect(),
            measures: layout.measures.iter().map(measure).collect(),
            event_time: time.unwrap_or(stored.timestamp),
            payload: document.to_string(),
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
            let mut told = history.iter().filter_map(|(since, values)| Some((*since, (*values.get(index)?)?)));
            let first = told.clone().next();
            let latest = told.by_ref().take_while(|(since, _)| *since <= self.event_time).last();
            *dimension = latest.or(first).map(|(_, value)| value);
        }
    }

    /// Adds the row to what is to be sent.
    pub fn write(&self, body: &mut Body) {
        let family = self.event_type.split('.').next().unwrap_or_default();
        let mut line = Line { text: &mut body.text, hasher: SipHasher24::new(), is_first: true };
        line.field(Some(&self.position.to_string()));
        line.uuid(Some(self.event_id));
        line.field(Some(&self.event_type));
        line.field(Some(family));
        line.field(Some(&self.version));
        line.uuid(self.user_id);
        self.dimensions.iter().for_each(|id| line.uuid(*id));
        line.field(Some(&moment(self.event_time)));
        line.field(Some(&moment(self.received_at)));
        line.uuid(self.correlation_id);
        self.measures.iter().for_each(|number| line.field(number.map(decimal).as_deref()));
        line.field(Some(&self.payload));
        body.hash = body.hash.wrapping_add(line.hasher.finish());
        body.text.push(b'\n');
        body.events += 1;
    }
}

/// A line in the making: escaped as ClickHouse's TabSeparated wants it, and hashed as it is.
struct Line<'b> {
    text: &'b mut Vec<u8>,
    hasher: SipHasher24,
    is_first: bool,
}

impl Line<'_> {
    fn uuid(&mut self, id: Option<Uuid>) {
        let mut buffer = Uuid::encode_buffer();
        self.field(id.map(|id| &*id.hyphenated().encode_lower(&mut buffer)));
    }

    fn field(&mut self, value: Option<&str>) {
        if !self.is_first {
            self.text.push(b'\t');
            self.hasher.write(&[FIELD_SEPARATOR]);
        }
        self.is_first = false;
        self.hasher.write(value.unwrap_or(ABSENT).as_bytes());
        match value {
            Some(value) => self.text.extend_from_slice(escape(value).as_bytes()),
            None => self.text.extend_from_slice(ABSENT.as_bytes()),
        }
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
    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// As ClickHouse writes a decimal: without zeros at the end.
fn decimal(number: Decimal) -> String {
    use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    number.round_dp_with_strategy(MEASURE_DIGITS, MidpointAwayFromZero).normalize().to_string()
}

/// Takes out personal fields, wherever they stand: also in events without a contract, and in fields that none declares.
fn strip(value: &mut Value, personal: &BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !personal.contains(name));
            object.values_mut().for_each(|value| strip(value, personal));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| strip(value, personal)),
        _ => {}
    }
}
