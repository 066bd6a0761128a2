//! The three envelopes in which publishers send the same event, read into one.
//!
//! Flat: `id`, `version`, `timestamp` at the top. Nested: the same fields under `metadata`.
//! CloudEvents 1.0 structured JSON: `specversion`, `id`, `source`, `type`, `time`, `data`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::{Reason, Rejection};
use crate::instant;

/// Longest event type, in characters.
const TYPE_CHARS_MAX: usize = 100;
/// The version of an event whose envelope names none.
const VERSION_DEFAULT: &str = "v1";
/// Longest version, in characters.
const VERSION_CHARS_MAX: usize = 50;

/// What stands around the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The event's identity.
    pub id: Uuid,
    /// `<domain>.<entity>.<action>`.
    pub event_type: String,
    /// The version of the contract.
    pub version: String,
    /// Event time.
    pub timestamp: DateTime<Utc>,
    /// For tracing.
    pub correlation_id: Option<Uuid>,
    /// For tracing.
    pub causation_id: Option<Uuid>,
    /// The free `metadata` object.
    pub metadata: Option<Value>,
    /// The data, as it came.
    pub data: Value,
}

/// Where the fields of an envelope stand: the object, the pointer to it, and their names in it.
struct Header<'v> {
    fields: &'v Map<String, Value>,
    at: &'static str,
    version: &'static str,
    timestamp: &'static str,
    correlation_id: &'static str,
    causation_id: &'static str,
}

/// Reads the envelope of a parsed document.
///
/// # Errors
/// [`Reason::Envelope`] with the field at fault; the rejection carries id and type where they could be read.
pub fn read(document: Value) -> Result<Envelope, Rejection> {
    let Value::Object(mut top) = document else {
        return Err(broken("", "not a JSON object"));
    };
    let header = locate(&top)?;
    let id = uuid(&header, "id")?.ok_or_else(|| broken(&pointer(&header, "id"), "has no id"));
    let event_type = event_type(&top);
    let known = (id.as_ref().ok().copied(), event_type.as_ref().ok().cloned());
    let name = |mut rejection: Rejection| {
        (rejection.event_id, rejection.event_type) = known.clone();
        rejection
    };
    let id = id.map_err(name)?;
    let event_type = event_type.map_err(name)?;
    let version = version(&header).map_err(name)?;
    let timestamp = timestamp(&header).map_err(name)?;
    let correlation_id = uuid(&header, header.correlation_id).map_err(name)?;
    let causation_id = uuid(&header, header.causation_id).map_err(name)?;
    let metadata = metadata(&header).map_err(name)?;
    let data = match top.remove("data") {
        Some(data @ Value::Object(_)) => data,
        Some(_) => return Err(name(broken("/data", "data is not an object"))),
        None => return Err(name(broken("/data", "has no data"))),
    };
    Ok(Envelope { id, event_type, version, timestamp, correlation_id, causation_id, metadata, data })
}

/// Decides which of the three shapes this is. A top-level id wins over one under `metadata`.
fn locate(top: &Map<String, Value>) -> Result<Header<'_>, Rejection> {
    if let Some(specversion) = top.get("specversion").filter(|version| !version.is_null()) {
        return cloud_event(top, specversion);
    }
    let (fields, at) = match top.get("metadata").and_then(Value::as_object) {
        Some(metadata) if !has(top, "id") && has(metadata, "id") => (metadata, "/metadata"),
        _ => (top, ""),
    };
    Ok(Header {
        fields,
        at,
        version: "version",
        timestamp: "timestamp",
        correlation_id: "correlationId",
        causation_id: "causationId",
    })
}

fn cloud_event<'v>(top: &'v Map<String, Value>, specversion: &Value) -> Result<Header<'v>, Rejection> {
    if specversion != "1.0" {
        return Err(broken("/specversion", "only CloudEvents 1.0 are read"));
    }
    if has(top, "data_base64") {
        return Err(broken("/data_base64", "CloudEvents with binary data are not read, send data as JSON"));
    }
    if top.get("source").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(broken("/source", "a CloudEvent needs a source"));
    }
    Ok(Header {
        fields: top,
        at: "",
        version: "dataversion",
        timestamp: "time",
        correlation_id: "correlationid",
        causation_id: "causationid",
    })
}

fn event_type(top: &Map<String, Value>) -> Result<String, Rejection> {
    match top.get("type") {
        Some(Value::String(text)) if text.is_empty() => Err(broken("/type", "the type is empty")),
        Some(Value::String(text)) if text.chars().count() > TYPE_CHARS_MAX => {
            Err(broken("/type", &format!("the type is longer than {TYPE_CHARS_MAX} characters")))
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Null) | None => Err(broken("/type", "has no type")),
        Some(_) => Err(broken("/type", "the type is not a text")),
    }
}

fn version(header: &Header<'_>) -> Result<String, Rejection> {
    match header.fields.get(header.version) {
        None | Some(Value::Null) => Ok(VERSION_DEFAULT.to_owned()),
        Some(Value::String(text)) if !text.is_empty() && text.chars().count() <= VERSION_CHARS_MAX => Ok(text.clone()),
        Some(_) => {
            let message = format!("the version is not a text of 1 to {VERSION_CHARS_MAX} characters");
            Err(broken(&pointer(header, header.version), &message))
        }
    }
}

fn timestamp(header: &Header<'_>) -> Result<DateTime<Utc>, Rejection> {
    let field = pointer(header, header.timestamp);
    match header.fields.get(header.timestamp) {
        None | Some(Value::Null) => Err(broken(&field, "has no time")),
        Some(value) => value
            .as_str()
            .and_then(instant::parse)
            .ok_or_else(|| broken(&field, "not an RFC 3339 time with seconds and a zone, in the years 1900 to 2299")),
    }
}

fn metadata(header: &Header<'_>) -> Result<Option<Value>, Rejection> {
    match header.fields.get("metadata") {
        None | Some(Value::Null) => Ok(None),
        Some(free @ Value::Object(_)) => Ok(Some(free.clone())),
        Some(_) => Err(broken(&pointer(header, "metadata"), "metadata is not an object")),
    }
}

fn uuid(header: &Header<'_>, name: &str) -> Result<Option<Uuid>, Rejection> {
    match header.fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_str()
            .and_then(parse_uuid)
            .map(Some)
            .ok_or_else(|| broken(&pointer(header, name), "not a UUID in its hyphenated form of 36 characters")),
    }
}

/// Reads the hyphenated 36-character form, in any case; the other forms that the `uuid` crate takes are none here.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn has(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

fn pointer(header: &Header<'_>, name: &str) -> String {
    format!("{}/{name}", header.at)
}

fn broken(field: &str, message: &str) -> Rejection {
    Rejection::new(Reason::Envelope, Some(field.to_owned()).filter(|field| !field.is_empty()), message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "018F0000-0000-7000-8000-000000000001";
    const OTHER: &str = "018f0000-0000-7000-8000-000000000002";
    const AT: &str = "2026-01-01T00:00:00Z";

    #[track_caller]
    fn refused(document: Value, field: Option<&str>) {
        let rejection = read(document).expect_err("should be refused");
        assert_eq!(rejection.field.as_deref(), field, "{}", rejection.message);
        assert_eq!(rejection.reason, Reason::Envelope);
    }

    #[test]
    fn three_shapes_of_the_same_event() {
        let shapes = [
            json!({"id": ID, "version": "v1", "timestamp": AT, "correlationId": OTHER, "type": "a.b.c", "data": {}}),
            json!({"type": "a.b.c", "data": {}, "metadata": {"id": ID, "version": "v1", "timestamp": AT, "correlationId": OTHER}}),
            json!({"specversion": "1.0", "id": ID, "source": "x", "type": "a.b.c", "time": AT, "data": {},
                   "correlationid": OTHER, "dataversion": "v1"}),
        ];
        let read: Vec<_> = shapes.into_iter().map(|shape| read(shape).expect("reads")).collect();
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0], read[2]);
        assert_eq!(read[0].correlation_id, parse_uuid(OTHER));
    }

    #[test]
    fn a_top_level_id_makes_it_flat() {
        let flat = json!({"id": ID, "timestamp": AT, "type": "a.b.c", "data": {}, "metadata": {"id": OTHER}});
        let read = read(flat).expect("reads");
        assert_eq!(read.id, parse_uuid(ID).expect("a uuid"));
        assert_eq!(read.metadata, Some(json!({"id": OTHER})));
        assert_eq!(read.version, "v1");
    }

    #[test]
    fn envelopes_that_are_broken() {
        refused(json!([1]), None);
        refused(json!({"type": "a.b.c", "data": {}}), Some("/id"));
        refused(json!({"id": "x", "type": "a.b.c", "timestamp": AT, "data": {}}), Some("/id"));
        refused(json!({"id": ID.replace('-', ""), "type": "a.b.c", "timestamp": AT, "data": {}}), Some("/id"));
        refused(json!({"id": format!("{{{ID}}}"), "type": "a.b.c", "timestamp": AT, "data": {}}), Some("/id"));
        refused(json!({"id": ID, "timestamp": AT, "data": {}}), Some("/type"));
        refused(json!({"id": ID, "type": 1, "timestamp": AT, "data": {}}), Some("/type"));
        refused(json!({"id": ID, "type": "a.b.c", "data": {}}), Some("/timestamp"));
        refused(json!({"id": ID, "type": "a.b.c", "timestamp": 1, "data": {}}), Some("/timestamp"));
        refused(json!({"id": ID, "type": "a.b.c", "timestamp": AT}), Some("/data"));
        refused(json!({"id": ID, "type": "a.b.c", "timestamp": AT, "data": []}), Some("/data"));
        refused(json!({"id": ID, "type": "a.b.c", "timestamp": AT, "data": {}, "version": 1}), Some("/version"));
        refused(
            json!({"id": ID, "type": "a.b.c", "timestamp": AT, "data": {}, "correlationId": "x"}),
            Some("/correlationId"),
        );
        refused(json!({"type": "a.b.c", "data": {}, "metadata": {"id": ID}}), Some("/metadata/timestamp"));
        refused(
            json!({"specversion": "0.3", "id": ID, "source": "x", "type": "a", "time": AT, "data": {}}),
            Some("/specversion"),
        );
        refused(json!({"specversion": "1.0", "id": ID, "type": "a", "time": AT, "data": {}}), Some("/source"));
        let binary =
            json!({"specversion": "1.0", "id": ID, "source": "x", "type": "a", "time": AT, "data_base64": "e30="});
        refused(binary, Some("/data_base64"));
    }

    #[test]
    fn a_broken_envelope_still_names_the_event() {
        let rejection = read(json!({"id": ID, "type": "a.b.c", "timestamp": AT})).expect_err("no data");
        assert_eq!(rejection.event_id, parse_uuid(ID));
        assert_eq!(rejection.event_type.as_deref(), Some("a.b.c"));
    }
}
