//! Which events of history are meant.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::batch::Message;
use crate::derived_id::derived_id;
use crate::envelope::parse_uuid;
use crate::instant;

/// Filters; what is not given selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// At or after this moment.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Types.
    pub types: Option<Glob>,
    /// Whom the data names, in whichever field.
    pub user: Option<Uuid>,
}

/// Of which time `since` and `until` speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// When it happened; what is no event has no time.
    ByEvent,
    /// When the stream took it.
    ByStream,
}

/// A pattern for event types: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_known = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-' | '*' | '?');
        match text.chars().find(|char| !is_known(*char)) {
            _ if text.is_empty() => Err("the pattern for types is empty".into()),
            Some(unknown) => Err(format!(
                "the pattern for types {text:?} has the character {unknown:?}\n  hint: `*` stands for any characters, \
                 `?` for one; types have letters, digits, `.`, `_` and `-`"
            )),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Whether a type is meant.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), event_type.as_bytes());
        let (mut at, mut star, mut from) = (0, None, 0);
        let mut index = 0;
        while index < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    (star, from) = (Some(at), index);
                    at += 1;
                }
                Some(byte) if *byte == b'?' || *byte == text[index] => {
                    at += 1;
                    index += 1;
                }
                // The last star takes one character more.
                _ => match star {
                    Some(star) => {
                        at = star + 1;
                        from += 1;
                        index = from;
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl Selection {
    /// Whether a message is meant. One that is no event is by its subject, and in a file by nothing else.
    #[must_use]
    pub fn takes(&self, message: &Message, dated: Dated) -> bool {
        let event = message.content.as_ref().ok();
        let time = match dated {
            Dated::ByEvent => event.map(|event| event.timestamp),
            Dated::ByStream => Some(message.published_at),
        };
        self.takes_time(time) && self.takes_type(&message.subject) && self.takes_user(event.map(|event| &event.data))
    }

    /// Whether a stored event is meant; its document is looked at only for whom it names.
    #[must_use]
    pub fn takes_stored(&self, event_type: &str, timestamp: DateTime<Utc>, document: Option<&str>) -> bool {
        let data = || serde_json::from_str::<Value>(document?).ok()?.get_mut("data").map(Value::take);
        self.takes_time(Some(timestamp))
            && self.takes_type(event_type)
            && (self.user.is_none() || self.takes_user(data().as_ref()))
    }

    fn takes_time(&self, time: Option<DateTime<Utc>>) -> bool {
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
    }

    fn takes_type(&self, event_type: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.matches(event_type))
    }

    fn takes_user(&self, data: Option<&Value>) -> bool {
        self.user.is_none_or(|user| data.is_some_and(|data| names(data, user)))
    }

    /// The filters in one spelling.
    #[must_use]
    pub fn describe(&self) -> String {
        let time =
            |name: &str, time: Option<DateTime<Utc>>| time.map(|at| format!("{name} {}", instant::canonical(at)));
        let types = self.types.as_ref().map(|types| format!("type {}", types.0));
        // Kept for long: tells people apart, and not who they are.
        let user = self.user.map(|user| format!("user #{}", derived_id(&format!("milepost:replay:user:{user}"))));
        let parts = [time("since", self.since), time("until", self.until), types, user];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Whether this id stands anywhere in a value.
fn names(value: &Value, id: Uuid) -> bool {
    match value {
        Value::String(text) => parse_uuid(text) == Some(id),
        Value::Array(items) => items.iter().any(|item| names(item, id)),
        Value::Object(fields) => fields.values().any(|field| names(field, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_whole_types() {
        for (pattern, matching, others) in [
            ("a.*", &["a.b", "a.b.c", "a."][..], &["a", "b.a.c"][..]),
            ("*.created", &["a.created", "a.b.created", "a.created.created"], &["created", "a.created.b"]),
            ("a.?.c*", &["a.b.c", "a.b.cd"], &["a.bb.c", "a..c"]),
            ("**", &["", "a"], &[]),
            ("a.b", &["a.b"], &["a.bc", "xa.b", "a_b"]),
        ] {
            let glob = Glob::parse(pattern).expect("a pattern");
            assert!(matching.iter().all(|text| glob.matches(text)), "{pattern}");
            assert!(!others.iter().any(|text| glob.matches(text)), "{pattern}");
        }
        for bad in ["", "a.[bc]", "a b", "a.>", "{a,b}"] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn whom_an_event_names_may_stand_anywhere_in_its_data() {
        let user = Uuid::from_u128(0xabc);
        let selection = Selection { user: Some(user), ..Selection::default() };
        let document = |data: Value| json!({ "id": user, "data": data }).to_string();
        let takes = |data: Value| selection.takes_stored("a", DateTime::UNIX_EPOCH, Some(&document(data)));
        assert!(takes(json!({"people": [{"id": user.to_string().to_uppercase()}]})));
        assert!(!takes(json!({"people": [{"id": Uuid::nil()}], "n": 1})), "the event's own id is no person");
    }

    #[test]
    fn a_span_holds_its_beginning_and_not_its_end() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let selection = Selection { since: at(10), until: at(20), ..Selection::default() };
        let taken: Vec<i64> = [9, 10, 19, 20]
            .into_iter()
            .filter(|seconds| selection.takes_stored("a", at(*seconds).expect("a time"), None))
            .collect();
        assert_eq!(taken, [10, 19]);
        let described = "since 1970-01-01T00:00:10.000000Z, until 1970-01-01T00:00:20.000000Z";
        assert_eq!(selection.describe(), described);
    }
}
