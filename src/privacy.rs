//! Personal fields under keys of their own: whose key is destroyed, is forgotten, wherever copies of a document are.
//!
//! What a contract marks as personal (`x-pii`) is stored encrypted, each value for itself, with a key of the subject that it
//! is about (`x-subject`): a person, or a match of two. Keys of subjects are stored wrapped by a key-encryption key that
//! Postgres never sees. Everything here is pure; keys are fetched by [`crate::store`].

pub mod cipher;
pub mod keyring;

use uuid::Uuid;

use crate::contract::Subject;
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

/// The subject of something that is about nobody known: an event, or a dead letter by its fingerprint.
#[must_use]
pub fn own_subject(kind: &str, id: Uuid) -> Uuid {
    derived_id(&format!("milepost:subject:{kind}:{id}"))
}
