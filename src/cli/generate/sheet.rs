//! The `data` of one event under construction, and the pen that spells its ids and times.
//!
//! What is written comes from the event's own choices; how it is spelled does not, so that another spelling says the same.

use std::fmt::{Display, Write};

use chrono::{DateTime, FixedOffset, SecondsFormat};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{MINUTE, Micros, SECOND, coarsen};

/// How ids and times are spelled.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) upper_case: bool,
    /// `None` is spelled `Z`.
    pub(super) offset: Option<FixedOffset>,
}

impl Pen {
    pub(super) fn id(self, id: Uuid) -> Value {
        let mut text = [0; 36];
        let hyphenated = id.hyphenated();
        if self.upper_case {
            Value::from(&*hyphenated.encode_upper(&mut text))
        } else {
            Value::from(&*hyphenated.encode_lower(&mut text))
        }
    }

    pub(super) fn time(self, at: Micros) -> Value {
        let time = DateTime::from_timestamp_micros(at).expect("the log lies within the years chrono knows");
        let digits = if at % SECOND == 0 {
            SecondsFormat::Secs
        } else if at % 1_000 == 0 {
            SecondsFormat::Millis
        } else {
            SecondsFormat::Micros
        };
        Value::from(match self.offset {
            None => time.to_rfc3339_opts(digits, true),
            Some(offset) => time.with_timezone(&offset).to_rfc3339_opts(digits, false),
        })
    }
}

/// A data object under construction.
pub(super) struct Sheet {
    pub(super) pen: Pen,
    /// The choices of this event.
    pub(super) rng: StdRng,
    /// The envelope's time.
    pub(super) at: Micros,
    /// Whether an optional field without a value is written as null or left out.
    nulls: bool,
    fields: Vec<(&'static str, Value)>,
}

impl Sheet {
    pub(super) fn new(pen: Pen, rng: StdRng, at: Micros, nulls: bool) -> Self {
        Self { pen, rng, at, nulls, fields: Vec::with_capacity(16) }
    }

    pub(super) fn put(&mut self, key: &'static str, value: impl Into<Value>) {
        self.fields.push((key, value.into()));
    }

    pub(super) fn put_id(&mut self, key: &'static str, id: Uuid) {
        self.put(key, self.pen.id(id));
    }

    pub(super) fn put_time(&mut self, key: &'static str, at: Micros) {
        self.put(key, self.pen.time(at));
    }

    /// When it happened: up to five minutes before the envelope says so.
    pub(super) fn put_moment(&mut self, key: &'static str) -> Micros {
        let before = self.rng.random_range(0..=5 * MINUTE - SECOND);
        let at = coarsen(&mut self.rng, self.at - before);
        self.put_time(key, at);
        at
    }

    /// An optional field that this share of the events has.
    pub(super) fn maybe<V: Into<Value>>(
        &mut self,
        key: &'static str,
        share: f64,
        value: impl FnOnce(&mut StdRng) -> V,
    ) {
        if self.rng.random_bool(share) {
            let value = value(&mut self.rng);
            self.put(key, value);
        } else {
            self.put_absent(key);
        }
    }

    /// An optional id, for what has one.
    pub(super) fn put_id_if_any(&mut self, key: &'static str, id: Option<Uuid>) {
        match id {
            Some(id) => self.put_id(key, id),
            None => self.put_absent(key),
        }
    }

    fn put_absent(&mut self, key: &'static str) {
        if self.nulls {
            self.put(key, Value::Null);
        }
    }

    /// Some publishers send more than the contract knows.
    pub(super) fn put_extras(&mut self) {
        if self.rng.random_bool(0.06) {
            let release = self.rng.random_range(1..40);
            self.put("clientVersion", format!("4.{release}.0"));
        }
        if self.rng.random_bool(0.04) {
            let variant = self.rng.random_range(1..4);
            self.put("experiment", json!({"name": "warm-welcome", "variant": variant}));
        }
    }

    /// The object as JSON, its keys as they were put or in the order of `shuffle`.
    pub(super) fn into_text(mut self, shuffle: Option<&mut StdRng>) -> String {
        if let Some(rng) = shuffle {
            self.fields.shuffle(rng);
        }
        object(&self.fields)
    }
}

/// A JSON object with its keys in the given order; values are JSON already.
pub(super) fn object<V: Display>(fields: &[(&'static str, V)]) -> String {
    let mut text = String::with_capacity(512);
    let mut separator = '{';
    for (key, value) in fields {
        write!(text, "{separator}\"{key}\":{value}").expect("a string takes any text");
        separator = ',';
    }
    if fields.is_empty() {
        text.push('{');
    }
    text.push('}');
    text
}

/// A number of two decimals in the range 0 to 1.
pub(super) fn share_of_one(rng: &mut StdRng, from: u32) -> f64 {
    f64::from(rng.random_range(from..=100)) / 100.0
}
