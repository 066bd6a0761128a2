//! JSON read with suspicion: no duplicate keys, and every failure knows where it is.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The text of a JSON document, kept as it was received and never serialised again.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(pub Bytes);

impl fmt::Debug for RawJson {
    /// Payloads may be personal: only the length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

/// Why a text is not one clean JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// True when an object has the same key twice; otherwise the syntax is broken.
    pub duplicate_key: bool,
    /// JSON pointer to where it broke.
    pub pointer: String,
    /// What the parser said.
    pub message: String,
}

/// Parses one document. Depth must have been bounded before ([`crate::gate::check`]).
///
/// # Errors
/// When the text is not one JSON document, or an object repeats a key.
pub fn parse(text: &str) -> Result<Value, Fault> {
    let mut trail = Trail::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Checked(&mut trail).deserialize(&mut deserializer);
    parsed.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let pointer = trail.0.iter().rev().fold(String::new(), |pointer, part| pointer + "/" + &escape(part));
        Fault { duplicate_key: trail.1, pointer, message: error.to_string() }
    })
}

/// Largest integer below which every integer is a double of its own.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Gives equal numbers one spelling: 1, 1.0 and 1e0 are the same JSON value, and Postgres writes 1e2 as 100.
pub fn canonical(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < EXACT_INTEGER_MAX);
            if let Some(whole) = whole {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range of i64")]
                let integer = whole as i64;
                *number = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(canonical),
        Value::Object(object) => object.values_mut().for_each(canonical),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// One segment of a JSON pointer, escaped (RFC 6901).
#[must_use]
pub fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// The path to a failure, innermost first, and whether it is a repeated key.
#[derive(Default)]
struct Trail(Vec<String>, bool);

struct Checked<'t>(&'t mut Trail);

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            match items.next_element_seed(Checked(self.0)) {
                Ok(Some(item)) => array.push(item),
                Ok(None) => return Ok(Value::Array(array)),
                Err(error) => {
                    self.0.0.push(array.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match entries.next_value_seed(Checked(self.0)) {
                Ok(_) if object.contains_key(&key) => {
                    self.0.1 = true;
                    self.0.0.push(key);
                    return Err(A::Error::custom("the key stands there twice"));
                }
                Ok(value) => {
                    object.insert(key, value);
                }
                Err(error) => {
                    self.0.0.push(key);
                    return Err(error);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn breaks_at(text: &str, pointer: &str, duplicate_key: bool) {
        let fault = parse(text).expect_err("should not parse");
        assert_eq!((fault.pointer.as_str(), fault.duplicate_key), (pointer, duplicate_key), "{text}");
    }

    #[test]
    fn faults_know_where_they_are() {
        breaks_at(r#"{"a":[1,{"b/c":1,"b/c":2}]}"#, "/a/1/b~1c", true);
        breaks_at(r#"{"a":{"b":tru}}"#, "/a/b", false);
        breaks_at("", "", false);
        breaks_at("{} {}", "", false);
    }

    #[test]
    fn equal_numbers_get_one_spelling() {
        let mut value = parse(r#"{"a":[1,1.0,1e2,-0.0,0.5,1e300]}"#).expect("parses");
        canonical(&mut value);
        assert_eq!(value.to_string(), r#"{"a":[1,1,100,0,0.5,1e+300]}"#);
    }

    #[test]
    fn keys_that_are_magic_to_serde_json_are_plain_keys() {
        let text = r#"{"$serde_json::private::RawValue":"{\"x\":1}"}"#;
        let value = parse(text).expect("plain object");
        assert_eq!(value.to_string(), text);
    }
}
