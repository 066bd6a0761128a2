//! Walking `data` along its shape: every rule checked, every value brought into the one spelling of its kind.

use serde_json::{Map, Number, Value};

use super::schema::{Least, Shape, Text};
use crate::envelope::parse_uuid;
use crate::{instant, json};

/// Longest e-mail address, in characters.
const EMAIL_CHARS_MAX: usize = 255;

/// A field that breaks a rule of its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer from the top of the document.
    pub field: String,
    /// The keyword of the contract that is broken.
    pub rule: &'static str,
    /// What the rule asks for. Never quotes the value.
    pub message: String,
}

pub(super) fn read(shape: &Shape, value: &mut Value, path: &mut Vec<String>) -> Result<(), Violation> {
    match (shape, value) {
        (Shape::Object { properties, required }, Value::Object(object)) => {
            object_fields(properties, required, object, path)
        }
        (Shape::Free, Value::Object(_)) | (Shape::Boolean, Value::Bool(_)) => Ok(()),
        (Shape::Array { item }, Value::Array(items)) => array_items(item, items, path),
        (Shape::Text(rules), Value::String(text)) => check_text(rules, text, path),
        (Shape::Uuid, Value::String(text)) => match parse_uuid(text) {
            Some(uuid) => replace(text, uuid.hyphenated().to_string()),
            None => broken(path, "format", "must be a UUID in its hyphenated form of 36 characters"),
        },
        (Shape::Time, Value::String(text)) => match instant::parse(text) {
            Some(time) => replace(text, instant::canonical(time)),
            None => {
                broken(path, "format", "must be an RFC 3339 time with seconds and a zone, in the years 1900 to 2299")
            }
        },
        (Shape::Date, Value::String(text)) => match instant::parse_date(text) {
            Some(_) => Ok(()),
            None => broken(path, "format", "must be a date YYYY-MM-DD in the years 1900 to 2299"),
        },
        (Shape::Email, Value::String(text)) => match normal_email(text) {
            Some(email) => replace(text, email),
            None => broken(path, "format", "must be an e-mail address: one @, no blanks, at most 255 characters"),
        },
        (Shape::Integer(min, max), Value::Number(number)) => check_integer(*min, *max, number, path),
        (Shape::Number(least, max), Value::Number(number)) => check_number(*least, *max, number, path),
        (shape, _) => broken(path, "type", &format!("must be {}", kind(shape))),
    }
}

fn object_fields(
    properties: &std::collections::BTreeMap<String, Shape>,
    required: &[String],
    object: &mut Map<String, Value>,
    path: &mut Vec<String>,
) -> Result<(), Violation> {
    // Real publishers send null for a field that they do not have.
    object.retain(|_, value| !value.is_null());
    if let Some(missing) = required.iter().find(|name| !object.contains_key(*name)) {
        path.push(missing.clone());
        return broken(path, "required", "is required");
    }
    for (name, value) in object.iter_mut() {
        if let Some(shape) = properties.get(name) {
            path.push(name.clone());
            read(shape, value, path)?;
            path.pop();
        }
    }
    Ok(())
}

fn array_items(item: &Shape, items: &mut [Value], path: &mut Vec<String>) -> Result<(), Violation> {
    for (index, value) in items.iter_mut().enumerate() {
        path.push(index.to_string());
        read(item, value, path)?;
        path.pop();
    }
    Ok(())
}

fn check_text(rules: &Text, text: &str, path: &[String]) -> Result<(), Violation> {
    let chars = || text.chars().count();
    if !rules.one_of.is_empty() && !rules.one_of.iter().any(|value| value == text) {
        return broken(path, "enum", &format!("must be one of {}", rules.one_of.join(", ")));
    }
    // A text has at most as many characters as bytes: most need no counting.
    if let Some(max) = rules.chars_max.filter(|max| text.len() > *max && chars() > *max) {
        return broken(path, "maxLength", &format!("must have at most {max} characters, has {}", chars()));
    }
    if rules.chars_min > 0 && chars() < rules.chars_min {
        return broken(path, "minLength", &format!("must have at least {} characters", rules.chars_min));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.0.is_match(text)) {
        return broken(path, "pattern", &format!("must match {}", pattern.0.as_str()));
    }
    Ok(())
}

fn check_integer(min: i64, max: i64, number: &Number, path: &[String]) -> Result<(), Violation> {
    if number.is_f64() {
        return broken(path, "type", "must be an integer, written as one");
    }
    match number.as_i64() {
        Some(value) if value < min => broken(path, "minimum", &format!("must be at least {min}")),
        Some(value) if value <= max => Ok(()),
        _ => broken(path, "maximum", &format!("must be at most {max}")),
    }
}

/// Numbers are doubles: 1 and 1.0 are the same value and get the same spelling.
fn check_number(least: Least, max: f64, number: &mut Number, path: &[String]) -> Result<(), Violation> {
    let value = number.as_f64().unwrap_or(f64::INFINITY);
    match least {
        Least::From(min) if value < min => return broken(path, "minimum", &format!("must be at least {min}")),
        Least::Above(min) if value <= min => {
            return broken(path, "exclusiveMinimum", &format!("must be more than {min}"));
        }
        _ => {}
    }
    if value > max {
        return broken(path, "maximum", &format!("must be at most {max}"));
    }
    // Adding zero turns -0 into 0.
    if let Some(normal) = Number::from_f64(value + 0.0) {
        *number = normal;
    }
    Ok(())
}

/// Trimmed and in ASCII lower case, or nothing when it is no address.
fn normal_email(text: &str) -> Option<String> {
    let email = text.trim().to_ascii_lowercase();
    let (local, domain) = email.split_once('@')?;
    let whole = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    let fits = email.chars().count() <= EMAIL_CHARS_MAX && !email.contains(char::is_whitespace);
    (whole && fits).then_some(email)
}

fn replace(text: &mut String, normal: String) -> Result<(), Violation> {
    *text = normal;
    Ok(())
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Object { .. } | Shape::Free => "an object",
        Shape::Array { .. } => "an array",
        Shape::Text(_) | Shape::Uuid | Shape::Time | Shape::Date | Shape::Email => "a text",
        Shape::Integer(..) => "an integer",
        Shape::Number(..) => "a number",
        Shape::Boolean => "true or false",
    }
}

fn broken(path: &[String], rule: &'static str, message: &str) -> Result<(), Violation> {
    let field = path.iter().fold(String::new(), |pointer, part| pointer + "/" + &json::escape(part));
    let name = path.last().map_or("data", String::as_str);
    Err(Violation { field, rule, message: format!("{name} {message} ({rule})") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Contract;
    use super::*;

    fn contract() -> Contract {
        let schema = json!({
            "title": "a.b.c", "x-version": "v1", "type": "object", "required": ["id"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "at": {"type": "string", "format": "date-time"},
                "mail": {"type": "string", "format": "email"},
                "n": {"type": "integer", "minimum": 1},
                "x": {"type": "number", "minimum": 0, "maximum": 1},
                "more": {"type": "number", "exclusiveMinimum": 0},
                "hash": {"type": "string", "pattern": "^[0-9a-f]{2}$"},
                "word": {"type": "string", "maxLength": 3},
                "mood": {"type": "string", "enum": ["great", "good"]},
                "goals": {"type": "array", "items": {"type": "integer", "maximum": 17}},
                "free": {"type": "object"},
                "inner": {"type": "object", "properties": {"flag": {"type": "boolean"}}, "required": ["flag"]}
            }
        });
        Contract::compile(&schema.to_string()).expect("compiles")
    }

    const ID: &str = "018F0000-0000-7000-8000-00000000000A";

    #[track_caller]
    fn reads(mut data: Value, expected: Value) {
        data["id"] = json!(ID);
        let mut normal = expected;
        normal["id"] = json!(ID.to_lowercase());
        contract().read(&mut data).expect("fits the contract");
        assert_eq!(data, normal);
    }

    #[track_caller]
    fn refused(mut data: Value, field: &str, rule: &str) {
        if data.get("id").is_none() {
            data["id"] = json!(ID);
        }
        let violation = contract().read(&mut data).expect_err("should be refused");
        assert_eq!((violation.field.as_str(), violation.rule), (field, rule), "{}", violation.message);
    }

    #[test]
    fn values_get_one_spelling() {
        reads(json!({"at": "2026-01-01T01:00:00+01:00"}), json!({"at": "2026-01-01T00:00:00.000000Z"}));
        reads(json!({"mail": " Ada@Example.ORG "}), json!({"mail": "ada@example.org"}));
        reads(json!({"x": 1}), json!({"x": 1.0}));
        reads(json!({"x": -0.0}), json!({"x": 0.0}));
        reads(json!({"more": 1e-300, "hash": "a0"}), json!({"more": 1e-300, "hash": "a0"}));
        reads(json!({"word": null, "extra": [null], "another": null}), json!({"extra": [null]}));
        reads(json!({"free": {"a": null}}), json!({"free": {"a": null}}));
        reads(json!({"word": "äöü"}), json!({"word": "äöü"}));
    }

    #[test]
    fn violations_name_the_field_and_the_rule() {
        refused(json!({"id": null}), "/data/id", "required");
        refused(json!({"id": "x"}), "/data/id", "format");
        refused(json!({"at": "2026-02-30T00:00:00Z"}), "/data/at", "format");
        for email in ["a", "a@", "@b", "a@b@c", "a b@c"] {
            refused(json!({ "mail": email }), "/data/mail", "format");
        }
        refused(json!({"n": 12.0}), "/data/n", "type");
        refused(json!({"n": "12"}), "/data/n", "type");
        refused(json!({"n": 0}), "/data/n", "minimum");
        refused(json!({"n": 2_147_483_648_i64}), "/data/n", "maximum");
        refused(json!({"n": u64::MAX}), "/data/n", "maximum");
        refused(json!({"x": 1.5}), "/data/x", "maximum");
        refused(json!({"more": 0}), "/data/more", "exclusiveMinimum");
        refused(json!({"more": -0.0}), "/data/more", "exclusiveMinimum");
        refused(json!({"more": 1e12 + 1.0}), "/data/more", "maximum");
        for hash in ["", "ag", "abc", "ab\n", "AB"] {
            refused(json!({ "hash": hash }), "/data/hash", "pattern");
        }
        refused(json!({"word": "four"}), "/data/word", "maxLength");
        refused(json!({"mood": "GREAT"}), "/data/mood", "enum");
        refused(json!({"goals": [1, 18]}), "/data/goals/1", "maximum");
        refused(json!({"goals": [null]}), "/data/goals/0", "type");
        refused(json!({"inner": {}}), "/data/inner/flag", "required");
        refused(json!({"inner": []}), "/data/inner", "type");
        refused(json!({"free": 1}), "/data/free", "type");
    }

    #[test]
    fn a_schema_with_an_unknown_keyword_is_refused_with_its_place() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object",
            "properties": {"a": {"type": "string", "const": "x", "pattern": "("},
                           "n": {"type": "number", "minimum": 0, "exclusiveMinimum": 0}},
            "required": ["b"], "x-user": "c"});
        let faults = Contract::compile(&schema.to_string()).expect_err("should be refused");
        let expected = ["/properties/a/const", "/properties/a/pattern", "/properties/n", "/required", "/x-user"];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, place) in faults.iter().zip(expected) {
            assert!(fault.starts_with(place), "{fault}");
        }
    }
}
