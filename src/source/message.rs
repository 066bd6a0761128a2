//! A delivery of JetStream as a message of ours.

use async_nats::jetstream::Message as Delivery;
use chrono::{SubsecRound as _, Utc};

use crate::batch::Message;
use crate::decode::decode;
use crate::domain::Domain;

/// Decodes a delivery.
pub(super) fn message(domain: &Domain, delivery: &Delivery) -> Message {
    let info = delivery.info().ok();
    Message {
        subject: delivery.subject.to_string(),
        headers: delivery.headers.as_ref().map(headers),
        sequence: info.as_ref().map(|info| info.stream_sequence),
        published_at: info.map_or_else(Utc::now, |info| info.published).trunc_subsecs(6),
        content: decode(domain, &delivery.subject, &delivery.payload),
        payload: delivery.payload.clone(),
    }
}

/// Headers as a JSON object: each name with the list of its values.
pub(super) fn headers(headers: &async_nats::HeaderMap) -> String {
    let object: serde_json::Map<String, serde_json::Value> = headers
        .iter()
        .map(|(name, values)| (name.to_string(), values.iter().map(ToString::to_string).collect::<Vec<_>>().into()))
        .collect();
    serde_json::Value::Object(object).to_string()
}
