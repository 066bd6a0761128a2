//! From the bytes of a message to an event, or to the reason why not. Pure, total, and the only way in.

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::contract::Contract;
use crate::derived_id::from_digest;
use crate::domain::Domain;
use crate::envelope::{self, Envelope};
use crate::event::{Event, Reason, Reference, Rejection, Route};
use crate::json::RawJson;
use crate::{gate, instant, json};

/// Reads one message. Never panics, whatever the bytes.
///
/// # Errors
/// The reason for a dead letter, with the field and, where they could be read, the event's id and type.
pub fn decode(domain: &Domain, subject: &str, bytes: &Bytes) -> Result<Event, Rejection> {
    let passed = gate::check(bytes, domain.limits)?;
    let document = parse(passed.text)?;
    let payload = match passed.has_vanishing_number {
        false => RawJson(bytes.clone()),
        true => RawJson(document.to_string().into()),
    };
    read(domain, subject, document, payload)
}

/// Reads an event that was stored before. The raw gates are not asked again: Postgres writes a document in its own
/// way, with more blanks and with numbers in full, so that what passed them may not pass them a second time.
///
/// # Errors
/// When it fits its contract no more.
pub fn decode_stored(domain: &Domain, event_type: &str, text: &str) -> Result<Event, Rejection> {
    read(domain, event_type, parse(text)?, RawJson(Bytes::copy_from_slice(text.as_bytes())))
}

fn parse(text: &str) -> Result<Value, Rejection> {
    json::parse(text).map_err(|fault| {
        let reason = if fault.duplicate_key { Reason::DuplicateKey } else { Reason::NotJson };
        Rejection::new(reason, Some(fault.pointer).filter(|pointer| !pointer.is_empty()), fault.message)
    })
}

fn read(domain: &Domain, subject: &str, document: Value, payload: RawJson) -> Result<Event, Rejection> {
    let mut envelope = envelope::read(document)?;
    let named = (envelope.id, envelope.event_type.clone());
    let interpreted = interpret(domain, subject, &mut envelope);
    json::canonical(&mut envelope.data);
    interpreted
        .map_err(|mut rejection| {
            (rejection.event_id, rejection.event_type) = (Some(named.0), Some(named.1));
            rejection
        })
        .map(|(route, user_id, references)| Event {
            content_hash: content_hash(&envelope),
            id: envelope.id,
            event_type: envelope.event_type,
            version: envelope.version,
            timestamp: envelope.timestamp,
            correlation_id: envelope.correlation_id,
            causation_id: envelope.causation_id,
            user_id,
            route,
            data: envelope.data,
            metadata: envelope.metadata,
            payload,
            references,
        })
}

/// What the event means here; normalises its data.
fn interpret(
    domain: &Domain,
    subject: &str,
    envelope: &mut Envelope,
) -> Result<(Route, Option<Uuid>, Vec<Reference>), Rejection> {
    if envelope.event_type != subject {
        let message = "the type does not equal the subject on which it was published";
        return Err(Rejection::new(Reason::SubjectMismatch, Some("/type".into()), message));
    }
    if domain.is_own(&envelope.event_type, envelope.metadata.as_ref()) {
        return Ok((Route::Own, None, Vec::new()));
    }
    let Some((index, upcast)) = domain.reading_of(&envelope.event_type, &envelope.version) else {
        return Ok((Route::Unrouted, None, Vec::new()));
    };
    let contract = &domain.contracts[index];
    upcast
        .iter()
        .try_for_each(|step| step.apply(&mut envelope.data))
        .and_then(|()| contract.read(&mut envelope.data))
        .map_err(|violation| Rejection::new(Reason::Contract, Some(violation.field), violation.message))?;
    let user_id = contract.user.as_deref().and_then(|field| uuid_of(&envelope.data, field));
    Ok((Route::Contract(index), user_id, references(domain, contract, &envelope.data)))
}

fn references(domain: &Domain, contract: &Contract, data: &Value) -> Vec<Reference> {
    let mut references: Vec<Reference> = contract
        .requires
        .iter()
        .filter(|requirement| requirement.when.iter().all(|(field, value)| data.get(field) == Some(value)))
        .filter_map(|requirement| {
            let key = uuid_of(data, &requirement.field)?;
            let entity = domain.entity(&requirement.entity)?;
            Some(Reference { entity, key })
        })
        .collect();
    references.sort_unstable();
    references.dedup();
    references
}

fn uuid_of(data: &Value, field: &str) -> Option<Uuid> {
    data.get(field)?.as_str().and_then(envelope::parse_uuid)
}

/// Type, instant and normalised data. The keys of a `serde_json` object are sorted, so equal data has one text.
fn content_hash(envelope: &Envelope) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(envelope.event_type.as_bytes());
    hasher.update(b"\n");
    hasher.update(instant::canonical(envelope.timestamp).as_bytes());
    hasher.update(b"\n");
    hasher.update(envelope.data.to_string().as_bytes());
    from_digest(hasher.finalize().as_slice())
}
