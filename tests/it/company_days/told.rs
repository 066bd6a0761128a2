//! The events of a log, each once, in the order of (timestamp, id), in whichever envelope they came.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use chrono::{DateTime, SubsecRound as _, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;
use uuid::Uuid;

pub(super) type Time = DateTime<Utc>;

pub(super) struct Told {
    pub(super) timestamp: Time,
    pub(super) id: Uuid,
    pub(super) event_type: String,
    data: Value,
}

pub(super) fn in_order(documents: &[Value]) -> Vec<Told> {
    let each_once: BTreeMap<(Time, Uuid), Told> =
        documents.iter().map(Told::of).map(|told| ((told.timestamp, told.id), told)).collect();
    each_once.into_values().collect()
}

impl Told {
    fn of(document: &Value) -> Self {
        let is_cloud_event = !document["specversion"].is_null();
        let envelope = if is_cloud_event || !document["id"].is_null() { document } else { &document["metadata"] };
        Self {
            timestamp: time_of(&envelope[if is_cloud_event { "time" } else { "timestamp" }]).expect("a timestamp"),
            id: envelope["id"].as_str().and_then(|id| id.parse().ok()).expect("an id"),
            event_type: document["type"].as_str().expect("a type").to_owned(),
            data: document["data"].clone(),
        }
    }

    pub(super) fn is(&self, event_type: &str) -> bool {
        self.event_type == event_type
    }

    pub(super) fn given_id(&self, field: &str) -> Option<Uuid> {
        self.data[field].as_str().map(|id| id.parse().expect("an id"))
    }

    pub(super) fn id_of(&self, field: &str) -> Uuid {
        self.given_id(field).unwrap_or_else(|| panic!("{} without {field}", self.event_type))
    }

    pub(super) fn has(&self, field: &str) -> bool {
        !self.data[field].is_null()
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.data[field].as_str().unwrap_or_default()
    }

    /// Of the person of an identity provider's snapshot.
    pub(super) fn user_text(&self, field: &str) -> &str {
        self.data["user"][field].as_str().unwrap_or_default()
    }

    pub(super) fn time(&self, field: &str) -> Time {
        time_of(&self.data[field]).unwrap_or_else(|| panic!("{} without {field}", self.event_type))
    }

    /// A number as the column keeps it.
    pub(super) fn number(&self, field: &str, places: u32) -> Decimal {
        let text = self.data[field].as_number().expect("a number").to_string();
        let exact = Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).expect("a decimal");
        exact.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
    }
}

fn time_of(value: &Value) -> Option<Time> {
    let time = DateTime::parse_from_rfc3339(value.as_str()?).expect("a time");
    Some(time.with_timezone(&Utc).trunc_subsecs(6))
}
