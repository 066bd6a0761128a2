//! A stored event as a row of analytics: without personal data, with what its contract measures.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::block::Column;
use super::layout::{FIELD_END, Layout};
use crate::contract::upcast::Step;
use crate::document::{self, Stripped};
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

/// Rows as they are sent, with their number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Their values.
    pub columns: Vec<Column>,
    /// How many rows.
    pub events: i64,
    /// As [`Layout::hash`] computes it from the table.
    pub hash: u64,
    /// What is hashed of one row. All at once, because that is much faster; kept, because there are many.
    said: Vec<u8>,
}

impl Body {
    /// No rows yet.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        let columns = layout.columns().into_iter().map(|(name, kind)| Column::of(name, kind)).collect();
        Self { columns, events: 0, hash: 0, said: Vec::new() }
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

    /// Adds the row to what is to be sent, column by column in the order of [`Layout::columns`].
    pub fn write(&self, body: &mut Body) {
        let family = self.event_type.split('.').next().unwrap_or_default();
        body.said.clear();
        let mut line = Line { columns: body.columns.iter_mut(), said: &mut body.said };
        line.add(&self.position.to_string(), |column| column.position(self.position));
        line.own_id(self.event_id);
        line.text(&self.event_type);
        line.text(family);
        line.text(&self.version);
        line.id(self.user_id);
        self.dimensions.iter().for_each(|id| line.id(*id));
        line.moment(self.event_time);
        line.moment(self.received_at);
        line.id(self.correlation_id);
        self.measures.iter().for_each(|number| line.number(*number));
        line.text(&self.payload);
        body.hash = body.hash.wrapping_add(xxh3_64(&body.said));
        body.events += 1;
    }
}

/// A row in the making: each value goes into the next column, and as text into what is hashed.
struct Line<'b> {
    columns: std::slice::IterMut<'b, Column>,
    said: &'b mut Vec<u8>,
}

impl Line<'_> {
    fn add(&mut self, said: &str, add: impl FnOnce(&mut Column)) {
        let Some(column) = self.columns.next() else { return };
        for part in [column.name.as_bytes(), b"=", said.as_bytes(), &[FIELD_END]] {
            self.said.extend_from_slice(part);
        }
        add(column);
    }

    /// What is not there is not hashed either.
    fn add_absent(&mut self, add: impl FnMut(&mut Column)) {
        self.columns.next().into_iter().for_each(add);
    }

    fn own_id(&mut self, id: Uuid) {
        let mut buffer = Uuid::encode_buffer();
        self.add(id.hyphenated().encode_lower(&mut buffer), |column| column.own_id(id));
    }

    fn id(&mut self, id: Option<Uuid>) {
        let mut buffer = Uuid::encode_buffer();
        match id {
            Some(id) => self.add(id.hyphenated().encode_lower(&mut buffer), |column| column.id(Some(id))),
            None => self.add_absent(|column| column.id(None)),
        }
    }

    fn text(&mut self, text: &str) {
        self.add(text, |column| column.text(text));
    }

    fn moment(&mut self, at: DateTime<Utc>) {
        self.add(&moment(at), |column| column.moment(at));
    }

    fn number(&mut self, number: Option<Decimal>) {
        use rust_decimal::RoundingStrategy::MidpointAwayFromZero;
        match number.map(|number| number.round_dp_with_strategy(MEASURE_DIGITS, MidpointAwayFromZero).normalize()) {
            // As ClickHouse writes a decimal: without zeros at the end.
            Some(number) => self.add(&number.to_string(), |column| column.number(Some(millionths(number)))),
            None => self.add_absent(|column| column.number(None)),
        }
    }
}

/// A number without more digits than measures have.
fn millionths(number: Decimal) -> i128 {
    number.mantissa() * 10_i128.pow(MEASURE_DIGITS.saturating_sub(number.scale()))
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
