//! Our reader of contracts against a full JSON Schema validator, on the ground that they share: no null in the place
//! of a field, integers written as integers, formats as the wire defines them.

use milepost::contract::Contract;
use milepost::{envelope, instant};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Every contract: its file name, its schema, and its text.
fn contracts() -> Vec<(String, Value, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr/events");
    let files = std::fs::read_dir(folder).expect("the folder of contracts").map(|file| file.expect("a file").path());
    let schemas = files.filter(|path| path.to_string_lossy().ends_with(".schema.json"));
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a contract");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, serde_json::from_str(&text).expect("JSON"), text)
    };
    schemas.map(read).collect()
}

/// Data that fits, at the edges of what fits.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => prop::collection::vec(fitting(&schema["items"]), 0..3).prop_map(Value::Array).boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::Bool).boxed(),
        Some("integer") => {
            let (min, max) =
                (schema["minimum"].as_i64().expect("a bound"), schema["maximum"].as_i64().expect("a bound"));
            prop_oneof![Just(min), Just(max), min..=max].prop_map(|n| json!(n)).boxed()
        }
        Some("number") => {
            let above = || schema["exclusiveMinimum"].as_f64().map(f64::next_up);
            let min = schema["minimum"].as_f64().or_else(above).expect("a bound");
            let max = schema["maximum"].as_f64().expect("a bound");
            prop_oneof![Just(min), Just(max), min..=max].prop_map(|n| json!(n)).boxed()
        }
        _ => text(schema),
    }
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let one_of =
        |texts: &[&str]| prop::sample::select(texts.iter().map(|text| json!(text)).collect::<Vec<_>>()).boxed();
    if let Some(values) = schema["enum"].as_array() {
        return prop::sample::select(values.clone()).boxed();
    }
    match schema["format"].as_str() {
        Some("uuid") => any::<u128>().prop_map(|n| json!(uuid::Uuid::from_u128(n))).boxed(),
        Some("date-time") => {
            one_of(&["2026-01-01T00:00:00Z", "1900-01-01t00:00:00.123456789+00:00", "2024-02-29T23:59:59-14:00"])
        }
        Some("date") => one_of(&["2026-01-01", "1900-01-01", "2024-02-29"]),
        _ if schema["pattern"] == "^[0-9a-fA-F]{64}$" => one_of(&[&"0".repeat(64), &"aF".repeat(32)]),
        Some("email") => one_of(&["ada@example.org", "A.B+c@x.io"]),
        _ => {
            let length =
                |key: &str, default| schema[key].as_u64().map_or(default, |n| usize::try_from(n).expect("a length"));
            let (min, max) = (length("minLength", 0), length("maxLength", 40));
            let letter = prop_oneof![Just('x'), Just('\u{1F600}'), any::<char>()];
            let letters = prop_oneof![Just(min), Just(max), min..=max];
            (letter, letters).prop_map(|(c, n)| json!(c.to_string().repeat(n))).boxed()
        }
    }
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let Some(properties) = schema["properties"].as_object() else {
        return prop::sample::select(vec![json!({}), json!({"a": [null, {"b": 1.5}]})]).boxed();
    };
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
    let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .iter()
        .map(|(name, inner)| {
            let (name, is_required) = (name.clone(), required(name));
            let entry = fitting(inner).prop_map(move |value| (name.clone(), value));
            if is_required { entry.prop_map(Some).boxed() } else { prop::option::of(entry).boxed() }
        })
        .collect();
    fields.prop_map(|entries| Value::Object(entries.into_iter().flatten().collect::<Map<_, _>>())).boxed()
}

/// The pointers of everything in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                places(inner, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// One thing is changed: mostly to something that does not fit, by a little or by much.
fn mutated(mut data: Value, place: prop::sample::Index, how: u8) -> Value {
    let mut found = Vec::new();
    places(&data, "", &mut found);
    let pointer = place.get(&found).clone();
    if let Some((parent, name)) = pointer.rsplit_once('/').filter(|_| how == 0) {
        if let Some(object) = data.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.remove(name);
        }
        return data;
    }
    let value = data.pointer_mut(&pointer).expect("it stands there");
    *value = match (how, value.take()) {
        (1, Value::String(text)) => json!(text + "\u{e9}"),
        (2, Value::String(text)) => json!(text.to_uppercase()),
        (3, Value::String(text)) => json!(text.chars().skip(1).collect::<String>()),
        (1, Value::Number(n)) if n.is_i64() => json!(n.as_i64().map(|n| n.saturating_add(1))),
        (2, Value::Number(n)) if n.is_i64() => json!(n.as_i64().map(|n| n - 1)),
        (1, Value::Number(n)) => json!(n.as_f64().map(|n| n + 1e-9)),
        (2, Value::Number(n)) => json!(n.as_f64().map(|n| n - 1e-9)),
        (1, Value::Object(mut object)) => {
            object.insert("another".to_owned(), json!([null, {"x": null}]));
            Value::Object(object)
        }
        (1, Value::Array(mut items)) => {
            items.push(Value::Null);
            Value::Array(items)
        }
        (4, _) => json!("x"),
        (5, _) => json!(""),
        (6, _) => json!(1.5),
        (7, _) => json!(u64::MAX),
        (8, _) => json!(-1),
        (9, _) => json!(true),
        (10, _) => json!([]),
        (11, _) => json!({}),
        (12, _) => json!(18),
        (_, same) => same,
    };
    data
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .with_format("uuid", |text: &str| envelope::parse_uuid(text).is_some())
        .with_format("date-time", |text: &str| instant::parse(text).is_some())
        .with_format("date", |text: &str| instant::parse_date(text).is_some())
        .with_format("email", |text: &str| {
            let text = text.trim();
            let blank = text.contains(char::is_whitespace);
            !blank && text.split('@').count() == 2 && !text.starts_with('@') && !text.ends_with('@')
        })
        .build(schema)
        .expect("a schema")
}

#[test]
fn both_accept_or_both_refuse() {
    for (name, schema, text) in contracts() {
        let contract = Contract::compile(&text).expect("compiles");
        let validator = validator(&schema);
        let data = (fitting(&schema), any::<prop::sample::Index>(), 0..20_u8);
        let outcome = TestRunner::new(crate::support::cases(400)).run(&data, |(fits, place, how)| {
            prop_assert!(validator.is_valid(&fits), "the generator fits the schema: {fits}");
            let data = mutated(fits, place, how);
            let mut normal = data.clone();
            let ours = contract.read(&mut normal);
            prop_assert_eq!(ours.is_ok(), validator.is_valid(&data), "{}: {:?}", data, ours);
            if ours.is_ok() {
                prop_assert!(validator.is_valid(&normal), "the normal form fits too: {normal}");
                let mut again = normal.clone();
                prop_assert!(contract.read(&mut again).is_ok());
                prop_assert_eq!(again, normal, "the normal form is its own");
            }
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

#[test]
fn every_contract_is_valid_json_schema() {
    for (name, schema, _) in contracts() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        if let Err(fault) = jsonschema::meta::validate(&schema) {
            panic!("{name}: {fault}");
        }
    }
}
