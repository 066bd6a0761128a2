//! Personal fields under keys of their own: whose key is destroyed, is forgotten, wherever copies of a document are.
//!
//! What a contract marks as personal (`x-pii`) is stored encrypted, each value for itself, with a key of the subject that it
//! is about (`x-subject`): a person, or a match of two. Keys of subjects are stored wrapped by a key-encryption key that
//! Postgres never sees. Everything here is pure; keys are fetched by [`crate::store`].

pub mod cipher;
pub mod keyring;

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::contract::{Shape, Subject};
use crate::derived_id::derived_id;
use crate::domain::Domain;
use crate::event::{Event, Route};

/// Whose key a personal field of an event is encrypted with. A field of which no contract says whom it is about has the
/// event's own.
#[must_use]
pub fn subject_of(domain: &Domain, event: &Event, name: &str) -> Uuid {
    let declared = match event.route {
        Route::Contract(index) => domain.contracts[index].subjects.get(name),
        Route::Unrouted | Route::Own => None,
    };
    declared.and_then(|subject: &Subject| subject.of(&event.data)).unwrap_or_else(|| own_subject("event", event.id))
}

/// Names of the fields of an event that are encrypted in the store.
#[must_use]
pub fn encrypted_in<'d>(domain: &'d Domain, event: Option<&Event>) -> &'d BTreeSet<String> {
    match event.map(|event| event.route) {
        Some(Route::Contract(index)) => &domain.encrypted[index],
        _ => &domain.layout.personal,
    }
}

/// The subject of something that is about nobody known: an event, or a dead letter by its fingerprint.
#[must_use]
pub fn own_subject(kind: &str, id: Uuid) -> Uuid {
    derived_id(&format!("milepost:subject:{kind}:{id}"))
}

/// What stands in the place of a value that is gone: nothing, or, where a contract requires the field, something that says
/// so. E-mails stay different for different subjects.
#[must_use]
pub fn stand_in(domain: &Domain, name: Option<&str>, subject: Uuid) -> String {
    let required = |name: &str| domain.contracts.iter().find_map(|contract| required(&contract.shape, name));
    match name.and_then(required) {
        Some(Shape::Email) => format!("\"{subject}@erased.invalid\""),
        Some(Shape::Text(_)) => "\"erased\"".to_owned(),
        _ => "null".to_owned(),
    }
}

/// The shape of a required property of this name, at any depth.
fn required<'s>(shape: &'s Shape, name: &str) -> Option<&'s Shape> {
    match shape {
        Shape::Object { properties, required: names } => {
            let own = properties.get(name).filter(|_| names.iter().any(|required| required == name));
            own.or_else(|| properties.values().find_map(|inner| required(inner, name)))
        }
        Shape::Array { item } => required(item, name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Source;

    #[test]
    fn what_is_gone_still_fits_its_contract() {
        let domain = Domain::load(&Source::BuiltIn).expect("the domain");
        for contract in &domain.contracts {
            for name in &contract.analytics.personal {
                let mut value: serde_json::Value =
                    serde_json::from_str(&stand_in(&domain, Some(name), Uuid::from_u128(7))).expect("JSON");
                let Some(shape) = required(&contract.shape, name) else { continue };
                assert!(!value.is_null(), "{name} of {}", contract.event_type);
                assert!(crate::contract::fits(shape, &mut value), "{name} of {}", contract.event_type);
            }
        }
    }
}
