//! Compiling a JSON Schema file into the shape that the reader walks.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Contract, Requirement};

/// What a value must look like.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// An object with known properties; others are kept as they are.
    Object {
        /// The known properties.
        properties: BTreeMap<String, Shape>,
        /// Those that must be there.
        required: Vec<String>,
    },
    /// Any object, kept as it is.
    Free,
    /// An array of one shape.
    Array {
        /// The shape of each item.
        item: Box<Shape>,
    },
    /// A text.
    Text(Text),
    /// A UUID.
    Uuid,
    /// An instant.
    Time,
    /// A calendar date.
    Date,
    /// An e-mail address, normalised to lower case.
    Email,
    /// A number written as an integer, within these bounds.
    Integer(i64, i64),
    /// A number, from the least to the greatest.
    Number(Least, f64),
    /// True or false.
    Boolean,
}

/// The rules of a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    /// Least number of Unicode characters.
    pub chars_min: usize,
    /// Greatest number of Unicode characters.
    pub chars_max: Option<usize>,
    /// The only values that it may have; empty: any.
    pub one_of: Vec<String>,
    /// What must be found in it.
    pub pattern: Option<Pattern>,
}

/// A regular expression, equal to another one that is written alike.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// Where the numbers begin that a number may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Least {
    /// With this one.
    From(f64),
    /// Right above this one.
    Above(f64),
}

const ROOT_KEYWORDS: [&str; 13] = [
    "$schema",
    "$id",
    "title",
    "$comment",
    "x-version",
    "x-user",
    "x-time",
    "x-key",
    "x-requires",
    "x-provides",
    "x-dimensions",
    "x-measures",
    "x-subject",
];
const NOTE_KEYWORDS: [&str; 5] = ["type", "description", "x-pii", "x-subject", "examples"];

/// A place in a schema file, for messages.
type Faults = Vec<String>;

pub(super) fn compile(text: &str) -> Result<Contract, Faults> {
    let root = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(root)) => root,
        Ok(_) => return Err(vec!["the schema is not a JSON object".into()]),
        Err(error) => return Err(vec![format!("not JSON: {error}")]),
    };
    let mut faults = Faults::new();
    if root.get("type").and_then(Value::as_str) != Some("object") {
        faults.push("/type: data is an object, so the schema's type must be \"object\"".into());
    }
    let shape = object(&root, "", &ROOT_KEYWORDS, &mut faults);
    let word = |key: &str| root.get(key).and_then(Value::as_str).map(str::to_owned);
    let contract = Contract {
        event_type: word("title").unwrap_or_default(),
        version: word("x-version").unwrap_or_default(),
        user: word("x-user"),
        time: word("x-time"),
        key: word("x-key"),
        requires: requirements(&root, &mut faults),
        provides: provides(&root, &mut faults),
        analytics: super::analytics::read(&root, &shape, &mut faults),
        subjects: super::subject::read(&root, &shape, &mut faults),
        shape,
    };
    if contract.event_type.is_empty() {
        faults.push("/title: must be the event type".into());
    }
    if contract.version.is_empty() {
        faults.push("/x-version: must be the version, such as \"v1\"".into());
    }
    check_fields(&contract, &mut faults);
    if faults.is_empty() { Ok(contract) } else { Err(faults) }
}

/// The annotations name fields; a misspelt one would silently have no effect.
fn check_fields(contract: &Contract, faults: &mut Faults) {
    let Shape::Object { properties, .. } = &contract.shape else {
        return;
    };
    let mut expect = |place: &str, field: &str, shape: Option<&Shape>| match properties.get(field) {
        None => faults.push(format!("{place}: there is no property {field:?}")),
        Some(found) if shape.is_some_and(|shape| shape != found) => {
            faults.push(format!("{place}: {field:?} has not the format that this needs"));
        }
        Some(_) => {}
    };
    if let Some(field) = &contract.user {
        expect("/x-user", field, Some(&Shape::Uuid));
    }
    if let Some(field) = &contract.time {
        expect("/x-time", field, Some(&Shape::Time));
    }
    if let Some(field) = &contract.key {
        expect("/x-key", field, None);
    }
    for (index, requirement) in contract.requires.iter().enumerate() {
        expect(&format!("/x-requires/{index}/field"), &requirement.field, Some(&Shape::Uuid));
        for (field, _) in &requirement.when {
            expect(&format!("/x-requires/{index}/when"), field, None);
        }
    }
}

fn requirements(root: &Map<String, Value>, faults: &mut Faults) -> Vec<Requirement> {
    let Some(list) = root.get("x-requires") else {
        return Vec::new();
    };
    let Some(list) = list.as_array() else {
        faults.push("/x-requires: must be an array".into());
        return Vec::new();
    };
    let mut requirements = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let word = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let (Some(entity), Some(field)) = (word("entity"), word("field")) else {
            faults.push(format!("/x-requires/{index}: needs \"entity\" and \"field\""));
            continue;
        };
        for key in entry.as_object().into_iter().flat_map(Map::keys) {
            if !matches!(key.as_str(), "entity" | "field" | "when") {
                faults.push(format!("/x-requires/{index}/{key}: unknown key"));
            }
        }
        let when = entry.get("when").and_then(Value::as_object).into_iter().flatten();
        let when = when.map(|(field, value)| (field.clone(), value.clone())).collect();
        requirements.push(Requirement { entity, field, when });
    }
    requirements
}

fn provides(root: &Map<String, Value>, faults: &mut Faults) -> Vec<String> {
    let Some(list) = root.get("x-provides") else {
        return Vec::new();
    };
    let names: Option<Vec<String>> =
        list.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    names.unwrap_or_else(|| {
        faults.push("/x-provides: must be an array of names of entities".into());
        Vec::new()
    })
}

fn shape(schema: &Value, place: &str, faults: &mut Faults) -> Shape {
    let Some(schema) = schema.as_object() else {
        faults.push(format!("{place}: must be an object"));
        return Shape::Free;
    };
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "object" => object(schema, place, &[], faults),
        "array" => array(schema, place, faults),
        "string" => string(schema, place, faults),
        "integer" => {
            allow(schema, place, &["minimum", "maximum"], faults);
            let bound = |key: &str, default: i32| schema.get(key).map_or_else(|| Some(default.into()), Value::as_i64);
            match (bound("minimum", i32::MIN), bound("maximum", i32::MAX)) {
                (Some(min), Some(max)) => Shape::Integer(min, max),
                _ => fault(faults, place, "minimum and maximum of an integer must be integers"),
            }
        }
        "number" => number(schema, place, faults),
        "boolean" => {
            allow(schema, place, &[], faults);
            Shape::Boolean
        }
        _ => fault(faults, place, "type must be one of object, array, string, integer, number, boolean"),
    }
}

fn number(schema: &Map<String, Value>, place: &str, faults: &mut Faults) -> Shape {
    allow(schema, place, &["minimum", "exclusiveMinimum", "maximum"], faults);
    // Other numbers than those with a limit of their own are at most 10^12, which is the wire's own limit.
    let bound = |key: &str, default: f64| schema.get(key).map_or(Some(default), Value::as_f64);
    let least = match (schema.get("minimum"), schema.get("exclusiveMinimum")) {
        (None, Some(above)) => above.as_f64().map(Least::Above),
        (_, None) => bound("minimum", -1e12).map(Least::From),
        (Some(_), Some(_)) => None,
    };
    match (least, bound("maximum", 1e12)) {
        (Some(least), Some(max)) => Shape::Number(least, max),
        _ => fault(faults, place, "bounds of a number must be numbers, with one of minimum and exclusiveMinimum"),
    }
}

fn fault(faults: &mut Faults, place: &str, message: &str) -> Shape {
    faults.push(format!("{place}: {message}"));
    Shape::Free
}

fn object(schema: &Map<String, Value>, place: &str, more: &[&str], faults: &mut Faults) -> Shape {
    let mut allowed = vec!["properties", "required"];
    allowed.extend(more);
    allow(schema, place, &allowed, faults);
    let Some(known) = schema.get("properties").and_then(Value::as_object) else {
        return Shape::Free;
    };
    let properties: BTreeMap<String, Shape> = known
        .iter()
        .map(|(name, property)| (name.clone(), shape(property, &format!("{place}/properties/{name}"), faults)))
        .collect();
    let mut required = Vec::new();
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        match name.as_str() {
            Some(name) if properties.contains_key(name) => required.push(name.to_owned()),
            _ => faults.push(format!("{place}/required: {name} is not a property")),
        }
    }
    Shape::Object { properties, required }
}

fn array(schema: &Map<String, Value>, place: &str, faults: &mut Faults) -> Shape {
    allow(schema, place, &["items"], faults);
    match schema.get("items") {
        Some(item) => Shape::Array { item: Box::new(shape(item, &format!("{place}/items"), faults)) },
        None => fault(faults, place, "an array needs items"),
    }
}

fn string(schema: &Map<String, Value>, place: &str, faults: &mut Faults) -> Shape {
    allow(schema, place, &["format", "minLength", "maxLength", "enum", "pattern"], faults);
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let one_of = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let text = Text {
        chars_min: length("minLength").unwrap_or_default(),
        chars_max: length("maxLength"),
        one_of: one_of.filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        pattern: schema.get("pattern").and_then(|pattern| self::pattern(pattern, place, faults)),
    };
    match schema.get("format").and_then(Value::as_str) {
        None | Some("uri") => Shape::Text(text),
        Some("uuid") => Shape::Uuid,
        Some("date-time") => Shape::Time,
        Some("date") => Shape::Date,
        Some("email") => Shape::Email,
        Some(_) => fault(faults, place, "format must be one of uuid, date-time, date, email, uri"),
    }
}

/// A pattern as JSON Schema has them: found anywhere, unless it has anchors.
fn pattern(pattern: &Value, place: &str, faults: &mut Faults) -> Option<Pattern> {
    match pattern.as_str().map(Regex::new) {
        Some(Ok(regex)) => Some(Pattern(regex)),
        _ => {
            faults.push(format!("{place}/pattern: must be a regular expression of ASCII classes, such as [0-9a-f]"));
            None
        }
    }
}

/// A keyword that is not known here would be a rule that nobody enforces.
fn allow(schema: &Map<String, Value>, place: &str, keywords: &[&str], faults: &mut Faults) {
    for key in schema.keys() {
        if !keywords.contains(&key.as_str()) && !NOTE_KEYWORDS.contains(&key.as_str()) {
            faults.push(format!("{place}/{key}: this keyword is not supported here"));
        }
    }
}
