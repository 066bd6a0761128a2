//! The contract of one event type: a JSON Schema, compiled once into a reader that validates and normalises.
//!
//! The reader takes a closed set of keywords and refuses a schema that uses any other, so that nothing in a
//! contract is silently without effect. It differs from plain JSON Schema where the contract says so:
//! `null` in place of an optional field is absent, `12.0` is no integer, formats are asserted.

mod analytics;
mod read;
mod schema;
mod subject;
pub mod upcast;

use std::collections::BTreeMap;

use serde_json::Value;

pub use analytics::{Analytics, Measure};
pub use read::Violation;
pub use schema::{Shape, Text};
pub use subject::Subject;

/// A compiled contract.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The event type, equal to the subject.
    pub event_type: String,
    /// The version that this file describes.
    pub version: String,
    /// What `data` must look like.
    pub shape: Shape,
    /// Field that names the event's person in the event store (`x-user`).
    pub user: Option<String>,
    /// Field with the data's own time (`x-time`).
    pub time: Option<String>,
    /// Field whose value keeps events that touch the same rows together (`x-key`).
    pub key: Option<String>,
    /// What must exist before the event is projected (`x-requires`).
    pub requires: Vec<Requirement>,
    /// Names of the entities that the event may bring into being (`x-provides`).
    pub provides: Vec<String>,
    /// What analytics makes of it.
    pub analytics: Analytics,
    /// Whom its fields are about that are encrypted in the store, by their names (`x-subject`).
    pub subjects: BTreeMap<String, Subject>,
}

/// An entity that must exist, by the field that refers to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// Name of an entity of `stream.toml`.
    pub entity: String,
    /// Field of `data` that holds its key; where it is absent, nothing is required.
    pub field: String,
    /// Required only when these fields have these values.
    pub when: Vec<(String, Value)>,
}

/// A place in the data that a contract knows; inside of a free object, anything may stand there.
#[derive(Debug, Clone, Copy)]
pub struct Place<'c>(Option<&'c Shape>);

/// Whether a value has a shape; brings it into its normal form, in place.
#[must_use]
pub fn fits(shape: &Shape, value: &mut Value) -> bool {
    read::read(shape, value, &mut Vec::new()).is_ok()
}

impl Place<'_> {
    /// Whether a value may stand there; brings it into its normal form, in place.
    #[must_use]
    pub fn fits(&self, value: &mut Value) -> bool {
        self.0.is_none_or(|shape| fits(shape, value))
    }
}

impl Contract {
    /// Compiles a schema file.
    ///
    /// # Errors
    /// Every fault of the file, each with the JSON pointer to its place.
    pub fn compile(text: &str) -> Result<Self, Vec<String>> {
        schema::compile(text)
    }

    /// Whether a value fits a field of `data`; brings it into its normal form, in place.
    #[must_use]
    pub fn fits(&self, field: &str, value: &mut Value) -> bool {
        let Shape::Object { properties, .. } = &self.shape else {
            return false;
        };
        properties.get(field).is_some_and(|shape| fits(shape, value))
    }

    /// The place that these names lead to, from `data` down; `None` where the contract knows no such field.
    #[must_use]
    pub fn place(&self, path: &[String]) -> Option<Place<'_>> {
        let mut shape = &self.shape;
        for name in path {
            shape = match shape {
                Shape::Free => return Some(Place(None)),
                Shape::Object { properties, .. } => properties.get(name)?,
                _ => return None,
            };
        }
        Some(Place(Some(shape)))
    }

    /// Validates `data` and brings it into its normal form, in place.
    ///
    /// # Errors
    /// The first field that breaks a rule. The data is then half normalised and of no use.
    pub fn read(&self, data: &mut Value) -> Result<(), Violation> {
        read::read(&self.shape, data, &mut vec!["data".to_owned()])
    }
}
