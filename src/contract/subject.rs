//! Whom the personal fields of an event are about (`x-subject`): under that subject's key they are sealed, and they are
//! gone once the key is destroyed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Shape;
use crate::derived_id::derived_id;

/// Fields are encrypted by their names, wherever they stand; without these an event could not be read.
const OF_THE_ENVELOPE: [&str; 11] = [
    "id",
    "type",
    "version",
    "timestamp",
    "time",
    "specversion",
    "source",
    "data",
    "metadata",
    "correlationId",
    "causationId",
];

/// Whose key seals a personal field: a kind of thing, and the fields of `data` that say which one it is.
///
/// What two people said within a match is about both of them: then the match has the key, and whoever erases one of them
/// destroys it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Such as `match`.
    pub kind: String,
    /// Paths in `data`, such as `user.email`.
    pub fields: Vec<Vec<String>>,
}

impl Subject {
    /// The subject's id: derived from `milepost:subject:<kind>:<value>:<value>…`, where a field that is absent is empty.
    /// `None` when all of them are: then it is about nobody that is known.
    #[must_use]
    pub fn of(&self, data: &Value) -> Option<Uuid> {
        let values: Vec<String> = self.fields.iter().map(|path| text_at(data, path)).collect();
        let is_known = values.iter().any(|value| !value.is_empty());
        is_known.then(|| derived_id(&format!("milepost:subject:{}:{}", self.kind, values.join(":"))))
    }
}

fn text_at(data: &Value, path: &[String]) -> String {
    match path.iter().try_fold(data, |value, name| value.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Reads whom properties are about, by their names: what a property says of itself, else, of personal ones, the root.
pub(super) fn read(root: &Map<String, Value>, shape: &Shape, faults: &mut Vec<String>) -> BTreeMap<String, Subject> {
    let mut subjects = BTreeMap::new();
    let all = root.get("x-subject").and_then(|definition| subject(definition, "/x-subject", shape, faults));
    properties(root, "", &mut |place, name, property| {
        let own = property.get("x-subject").map(|definition| (definition, format!("{place}/x-subject")));
        let is_personal = property.get("x-pii") == Some(&Value::Bool(true));
        let own = own.and_then(|(definition, place)| subject(definition, &place, shape, faults));
        let subject = own.or_else(|| all.clone().filter(|_| is_personal));
        if let Some(subject) = subject {
            if OF_THE_ENVELOPE.contains(&name) {
                faults.push(format!("{place}: what has this name in the envelope would be encrypted, too"));
            }
            subjects.insert(name.to_owned(), subject);
        }
    });
    subjects
}

/// Calls for each property, at any depth.
fn properties(schema: &Map<String, Value>, above: &str, each: &mut impl FnMut(&str, &str, &Map<String, Value>)) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let place = format!("{above}/properties/{name}");
        let Some(property) = property.as_object() else { continue };
        each(&place, name, property);
        properties(property, &place, each);
        if let Some(items) = property.get("items").and_then(Value::as_object) {
            properties(items, &format!("{place}/items"), each);
        }
    }
}

fn subject(definition: &Value, place: &str, shape: &Shape, faults: &mut Vec<String>) -> Option<Subject> {
    let entry = definition.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let fields = entry.and_then(|(kind, fields)| {
        let fields = fields.as_array()?.iter().map(|field| field.as_str().map(path));
        Some((kind, fields.collect::<Option<Vec<_>>>().filter(|fields| !fields.is_empty())?))
    });
    let Some((kind, fields)) = fields else {
        faults.push(format!("{place}: must be {{\"<kind>\": [\"<field>\", …]}}"));
        return None;
    };
    for field in fields.iter().filter(|field| !is_there(shape, field)) {
        faults.push(format!("{place}: there is no property {:?}", field.join(".")));
    }
    Some(Subject { kind: kind.clone(), fields })
}

fn path(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

fn is_there(shape: &Shape, path: &[String]) -> bool {
    let found = path.iter().try_fold(shape, |shape, name| match shape {
        Shape::Object { properties, .. } => properties.get(name),
        _ => None,
    });
    found.is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Contract;
    use super::*;

    #[test]
    fn whom_a_field_is_about_is_said_by_itself_or_by_the_whole() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object", "x-subject": {"pair": ["p.a", "b"]},
            "properties": {"p": {"type": "object", "properties": {"a": {"type": "string"},
                "n": {"type": "string", "x-pii": true}}}, "b": {"type": "string"},
                "m": {"type": "string", "x-pii": true, "x-subject": {"one": ["b"]}}}});
        let subjects = Contract::compile(&schema.to_string()).expect("compiles").subjects;
        let data = json!({"p": {"a": "x"}, "b": "y", "n": "secret"});
        assert_eq!(subjects["n"].of(&data), Some(derived_id("milepost:subject:pair:x:y")));
        assert_eq!(subjects["m"].of(&data), Some(derived_id("milepost:subject:one:y")));
        assert_eq!(subjects["n"].of(&json!({"b": "y"})), Some(derived_id("milepost:subject:pair::y")));
        assert_eq!(subjects["m"].of(&json!({})), None);
        assert_eq!(subjects.len(), 2);
    }

    #[test]
    fn what_an_envelope_needs_is_not_encrypted() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object",
            "properties": {"metadata": {"type": "object", "x-subject": {"one": ["b"]}}, "b": {"type": "string"}}});
        let faults = Contract::compile(&schema.to_string()).expect_err("has faults");
        assert!(faults[0].starts_with("/properties/metadata: "), "{faults:?}");
    }

    #[test]
    fn faults_are_named() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object", "x-subject": {"pair": ["c"]},
            "properties": {"n": {"type": "string", "x-pii": true, "x-subject": {"one": []}}}});
        let faults = Contract::compile(&schema.to_string()).expect_err("has faults");
        let places: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(places, ["/x-subject", "/properties/n/x-subject"]);
    }
}
