//! A line of the log: one of three envelopes around `data`, and its fields by type.
//!
//! Only what the journey needs is read and checked. The door's finer rules are not repeated here: generated logs break them
//! only in lines that refer to nobody.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Instant;
use super::decimal::Decimal;
use super::event::{self, Event};

/// The event of a document; none if it is broken, of a type that does nothing here, or of another version.
pub(super) fn event(document: &Value) -> Option<Event> {
    let is_cloud_event = document.get("specversion").is_some();
    // With an id on top and one in metadata, the shape is flat.
    let is_nested = !is_cloud_event && document.get("id").is_none();
    let envelope = Fields(if is_nested { document.get("metadata")? } else { document });
    let (time, version) = if is_cloud_event { ("time", "dataversion") } else { ("timestamp", "version") };
    if envelope.given(version).is_some_and(|version| version != "v1") {
        return None;
    }
    let data = document.get("data").filter(|data| data.is_object())?;
    let what = event::what(document.get("type")?.as_str()?, &Fields(data))?;
    Some(Event { timestamp: envelope.time(time)?, id: envelope.id("id")?, what })
}

/// The fields of an object. A required field that is absent or does not fit is none; so is an optional one that is there
/// but does not fit, as in `Some(None)` it is rightly absent.
pub(super) struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    /// A field that is there; `null` is absent.
    fn given(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn optional<T>(&self, key: &str, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        if self.given(key).is_some() { read(self).map(Some) } else { Some(None) }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.given(key)?.as_str()
    }

    pub(super) fn optional_text(&self, key: &str) -> Option<Option<&'a str>> {
        self.optional(key, |fields| fields.text(key))
    }

    pub(super) fn id(&self, key: &str) -> Option<Uuid> {
        // The parser takes other forms as well, the contract only the one with hyphens.
        let text = self.text(key).filter(|text| text.len() == 36)?;
        Uuid::parse_str(text).ok()
    }

    pub(super) fn optional_id(&self, key: &str) -> Option<Option<Uuid>> {
        self.optional(key, |fields| fields.id(key))
    }

    /// Fractions beyond microseconds are cut.
    pub(super) fn time(&self, key: &str) -> Option<Instant> {
        let time = DateTime::parse_from_rfc3339(self.text(key)?).ok()?;
        Some(time.with_timezone(&Utc).trunc_subsecs(6))
    }

    pub(super) fn whole_number(&self, key: &str) -> Option<i64> {
        self.given(key)?.as_i64()
    }

    pub(super) fn share(&self, key: &str) -> Option<Decimal> {
        Decimal::share(self.given(key)?.as_number()?)
    }
}
