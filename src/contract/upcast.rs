//! Old shapes: how the `data` of an earlier version becomes that of a later one, by declared steps, before the contract
//! reads it.
//!
//! `events/<type>.upcast.toml` declares upcasts, each from one version to the next. Steps are taken in their order. The
//! keywords are a closed set, and a file that uses any other is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Violation;
use crate::json;

/// Names of nested fields, from `data` down.
pub type Path = Vec<String>;

/// From one version of a type to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcast {
    /// The version of the event.
    pub from: String,
    /// The version whose shape the data then has.
    pub to: String,
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// One change of the data. `null` is absent, as everywhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// What stands in one place stands in another, also into and out of objects. Nothing is done where it is absent.
    Rename {
        /// Where it was.
        from: Path,
        /// Where it is to be; objects on the way are made.
        to: Path,
    },
    /// What is absent gets this value.
    Default {
        /// Where.
        field: Path,
        /// What.
        value: Value,
    },
    /// What is there goes.
    Drop {
        /// Where.
        field: Path,
        /// Its name is that of a personal field: it never leaves Postgres.
        is_personal: bool,
    },
    /// Words are replaced by others; a word that is not listed stays, for the contract to judge.
    Map {
        /// Where.
        field: Path,
        /// By the text of the old value.
        values: BTreeMap<String, Value>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    upcast: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    from: String,
    to: String,
    steps: Vec<toml::Table>,
}

impl Upcast {
    /// Reads a file of upcasts.
    ///
    /// # Errors
    /// Every fault, each with its place in the file.
    pub fn parse(text: &str) -> Result<Vec<Self>, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string().trim_end().to_owned()])?;
        let mut faults = Vec::new();
        let mut upcasts = Vec::new();
        for Entry { from, to, steps } in file.upcast {
            let mut read = Vec::new();
            for (index, table) in steps.iter().enumerate() {
                match step(table) {
                    Ok(step) => read.push(step),
                    Err(fault) => faults.push(format!("{}: {fault}", place(&from, &to, index))),
                }
            }
            upcasts.push(Self { from, to, steps: read });
        }
        if faults.is_empty() { Ok(upcasts) } else { Err(faults) }
    }
}

/// A step as messages name it.
#[must_use]
pub fn place(from: &str, to: &str, index: usize) -> String {
    format!("{from} to {to}, step {}", index + 1)
}

fn step(table: &toml::Table) -> Result<Step, String> {
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    let only = |allowed: &[&str]| match keys.iter().find(|key| !allowed.contains(key)) {
        Some(unknown) => Err(format!("unknown keyword {unknown:?}\n  hint: here are known {}", allowed.join(", "))),
        None => Ok(()),
    };
    if keys.contains(&"rename") {
        only(&["rename", "to"])?;
        let (from, to) = (path(table, "rename")?, path(table, "to")?);
        return if from == to { Err("renames a field to itself".into()) } else { Ok(Step::Rename { from, to }) };
    }
    if keys.contains(&"default") {
        only(&["default", "value"])?;
        let value = table.get("value").ok_or("a default needs a value")?;
        return Ok(Step::Default { field: path(table, "default")?, value: as_json(value)? });
    }
    if keys.contains(&"drop") {
        only(&["drop", "personal"])?;
        let is_personal = match table.get("personal") {
            None => false,
            Some(toml::Value::Boolean(is_personal)) => *is_personal,
            Some(_) => return Err("personal is true or false".into()),
        };
        return Ok(Step::Drop { field: path(table, "drop")?, is_personal });
    }
    if keys.contains(&"map") {
        only(&["map", "values"])?;
        let values = table.get("values").and_then(toml::Value::as_table);
        let values = values.filter(|values| !values.is_empty()).ok_or("a map needs a table of values")?;
        let values = values.iter().map(|(old, new)| Ok((old.clone(), as_json(new)?))).collect::<Result<_, String>>()?;
        return Ok(Step::Map { field: path(table, "map")?, values });
    }
    Err("no step that is known\n  hint: a step is one of rename, default, drop, map".into())
}

fn path(table: &toml::Table, keyword: &str) -> Result<Path, String> {
    let text = table.get(keyword).and_then(toml::Value::as_str);
    let path: Path = text.unwrap_or_default().split('.').map(str::to_owned).collect();
    match path.iter().any(String::is_empty) {
        true => Err(format!("{keyword} needs the name of a field, such as \"user.id\"")),
        false => Ok(path),
    }
}

fn as_json(value: &toml::Value) -> Result<Value, String> {
    let fault = |error: serde_json::Error| format!("not a value of JSON: {error}");
    match value {
        toml::Value::Datetime(_) => Err("times are written as texts".into()),
        value => serde_json::to_value(value).map_err(fault),
    }
}

impl Step {
    /// Changes the data, in place.
    ///
    /// # Errors
    /// The field that stands in the way. The data is then half changed and of no use.
    pub fn apply(&self, data: &mut Value) -> Result<(), Violation> {
        match self {
            Self::Rename { from, to } => match take(data, from)? {
                Some(value) => put(data, to, value),
                None => Ok(()),
            },
            Self::Default { field, value } => match look(data, field)? {
                Some(_) => Ok(()),
                None => put(data, field, value.clone()),
            },
            Self::Drop { field, .. } => take(data, field).map(drop),
            Self::Map { field, values } => {
                if let Some(value) = look(data, field)?
                    && let Some(new) = word(value).and_then(|word| values.get(&word))
                {
                    *value = new.clone();
                }
                Ok(())
            }
        }
    }
}

/// The text by which a value is looked up; objects and arrays have none.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An object, and a name in it.
type Slot<'v, 'p> = (&'v mut Map<String, Value>, &'p String);

/// The object in which the last name of a path stands, with that name, if all that is around it is there.
fn around<'v, 'p>(data: &'v mut Value, path: &'p [String]) -> Result<Option<Slot<'v, 'p>>, Violation> {
    let Some((last, before)) = path.split_last() else {
        return Ok(None);
    };
    let mut inside = data;
    for (depth, name) in before.iter().enumerate() {
        let Value::Object(object) = inside else {
            return Err(in_the_way(&before[..depth], "must be an object"));
        };
        match object.get_mut(name).filter(|value| !value.is_null()) {
            Some(value) => inside = value,
            None => return Ok(None),
        }
    }
    match inside {
        Value::Object(object) => Ok(Some((object, last))),
        _ => Err(in_the_way(before, "must be an object")),
    }
}

fn look<'v>(data: &'v mut Value, path: &[String]) -> Result<Option<&'v mut Value>, Violation> {
    let found = around(data, path)?.and_then(|(object, name)| object.get_mut(name));
    Ok(found.filter(|value| !value.is_null()))
}

fn take(data: &mut Value, path: &[String]) -> Result<Option<Value>, Violation> {
    let taken = around(data, path)?.and_then(|(object, name)| object.remove(name));
    Ok(taken.filter(|value| !value.is_null()))
}

fn put(data: &mut Value, path: &[String], value: Value) -> Result<(), Violation> {
    let mut inside = data;
    for (depth, name) in path.iter().enumerate() {
        let Value::Object(object) = inside else {
            return Err(in_the_way(&path[..depth], "must be an object"));
        };
        inside = object.entry(name.clone()).or_insert(Value::Null);
        if inside.is_null() && depth + 1 < path.len() {
            *inside = Value::Object(Map::new());
        }
    }
    // An object that was emptied by what is moved out of it is nothing.
    let is_free = inside.is_null() || inside.as_object().is_some_and(Map::is_empty) || *inside == value;
    if !is_free {
        return Err(in_the_way(path, "stands beside its older form and says otherwise"));
    }
    *inside = value;
    Ok(())
}

fn in_the_way(path: &[String], message: &str) -> Violation {
    let field = path.iter().fold("/data".to_owned(), |pointer, part| pointer + "/" + &json::escape(part));
    let name = path.last().map_or("data", String::as_str);
    Violation { field, rule: "upcast", message: format!("{name} {message} (upcast)") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn steps(lines: &str) -> Vec<Step> {
        let text = format!("[[upcast]]\nfrom = \"v1\"\nto = \"v2\"\nsteps = [{lines}]");
        Upcast::parse(&text).expect("parses").remove(0).steps
    }

    #[track_caller]
    fn becomes(lines: &str, mut data: Value, expected: Value) {
        for step in steps(lines) {
            step.apply(&mut data).expect("can be upcast");
        }
        assert_eq!(data, expected);
    }

    #[track_caller]
    fn refused(lines: &str, mut data: Value, field: &str) {
        let refused = steps(lines).iter().find_map(|step| step.apply(&mut data).err()).expect("should be refused");
        assert_eq!((refused.field.as_str(), refused.rule), (field, "upcast"), "{}", refused.message);
    }

    #[track_caller]
    fn faulty(lines: &str, expected: &str) {
        let text = format!("[[upcast]]\nfrom = \"v1\"\nto = \"v2\"\nsteps = [{lines}]");
        let faults = Upcast::parse(&text).expect_err("has a fault");
        assert!(faults.len() == 1 && faults[0].contains(expected), "{expected} in {faults:?}");
    }

    #[test]
    fn fields_move_also_into_and_out_of_objects() {
        becomes(r#"{ rename = "a", to = "b" }"#, json!({"a": 1}), json!({"b": 1}));
        becomes(r#"{ rename = "a", to = "b.c" }"#, json!({"a": 1, "b": {"d": 2}}), json!({"b": {"c": 1, "d": 2}}));
        becomes(r#"{ rename = "a.b", to = "c" }"#, json!({"a": {"b": 1, "d": 2}}), json!({"a": {"d": 2}, "c": 1}));
        becomes(r#"{ rename = "a.id", to = "a" }"#, json!({"a": {"id": 1}}), json!({"a": 1}));
        becomes(r#"{ rename = "a", to = "a.id" }"#, json!({"a": 1}), json!({"a": {"id": 1}}));
        for absent in [json!({}), json!({"a": null}), json!({"x": 1})] {
            let mut data = absent.clone();
            steps(r#"{ rename = "a.b", to = "c" }"#)[0].apply(&mut data).expect("nothing to do");
            assert_eq!(data, absent);
        }
    }

    #[test]
    fn what_is_absent_gets_its_default_and_words_their_new_ones() {
        becomes(r#"{ default = "a.b", value = [1] }"#, json!({"a": null}), json!({"a": {"b": [1]}}));
        becomes(r#"{ default = "a", value = 2 }"#, json!({"a": 1}), json!({"a": 1}));
        becomes(r#"{ drop = "a.b" }, { drop = "x" }"#, json!({"a": {"b": 1}}), json!({"a": {}}));
        let map = r#"{ map = "a", values = { ok = "okay", true = 1, 7 = "seven" } }"#;
        for (old, new) in [(json!("ok"), json!("okay")), (json!(true), json!(1)), (json!(7), json!("seven"))] {
            becomes(map, json!({ "a": old }), json!({ "a": new }));
        }
        becomes(map, json!({"a": "other"}), json!({"a": "other"}));
        becomes(map, json!({"a": ["ok"]}), json!({"a": ["ok"]}));
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        refused(r#"{ rename = "a", to = "b" }"#, json!({"a": 1, "b": 2}), "/data/b");
        refused(r#"{ rename = "a", to = "b.c" }"#, json!({"a": 1, "b": 2}), "/data/b");
        refused(r#"{ rename = "a.b", to = "c" }"#, json!({"a": "text"}), "/data/a");
        refused(r#"{ default = "a/b.c.d", value = 1 }"#, json!({"a/b": {"c": []}}), "/data/a~1b/c");
        becomes(r#"{ rename = "a", to = "b" }"#, json!({"a": 1, "b": 1}), json!({"b": 1}));
    }

    #[test]
    fn keywords_are_a_closed_set() {
        faulty(r#"{ split = "a" }"#, "v1 to v2, step 1: no step that is known");
        faulty(r#"{ rename = "a", to = "b", if = "c" }"#, "unknown keyword \"if\"");
        faulty(r#"{ drop = "a" }, { rename = "a" }"#, "step 2: to needs the name of a field");
        faulty(r#"{ rename = "a..b", to = "c" }"#, "rename needs the name of a field");
        faulty(r#"{ rename = "a", to = "a" }"#, "to itself");
        faulty(r#"{ default = "a" }"#, "a default needs a value");
        faulty(r#"{ default = "a", value = 2026-01-01 }"#, "times are written as texts");
        faulty(r#"{ map = "a", values = {} }"#, "a map needs a table of values");
        assert!(Upcast::parse("[[upcast]]\nfrom = \"v1\"\nto = \"v2\"\nsteps = []\nwhen = 1").is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[abc]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[abc]", inner, 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn any_object() -> impl Strategy<Value = Value> {
        proptest::collection::btree_map("[abc]", any_value(), 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let path = || proptest::collection::vec("[abc]", 1..4);
        prop_oneof![
            (path(), path()).prop_map(|(from, to)| Step::Rename { from, to }),
            (path(), any_value()).prop_map(|(field, value)| Step::Default { field, value }),
            path().prop_map(|field| Step::Drop { field, is_personal: false }),
            (path(), any_value())
                .prop_map(|(field, value)| Step::Map { field, values: [("a".to_owned(), value)].into() }),
        ]
    }

    proptest! {
        /// Total on any input, and data stays an object.
        #[test]
        fn any_steps_on_any_data_end(mut data in any_object(), steps in proptest::collection::vec(any_step(), 0..6)) {
            let ended = steps.iter().try_for_each(|step| step.apply(&mut data));
            prop_assert!(data.is_object());
            if let Err(violation) = ended {
                prop_assert!(violation.field.starts_with("/data"));
            }
        }

        /// The new form, spelled in the old way, is upcast to the new form again.
        #[test]
        fn an_upcast_undoes_the_older_spelling(new in "[a-z]{1,8}", number in any::<i32>(), mood in 0..3_usize) {
            let mood_now = ["okay", "struggling", "great"][mood];
            let current = json!({"user": {"name": new}, "count": number, "mood": mood_now, "currency": "USD"});
            let older = ["ok", "bad", "great"][mood];
            let old = json!({"userName": new, "stats": {"count": number}, "mood": older, "junk": [1]});
            let lines = r#"{ rename = "userName", to = "user.name" }, { rename = "stats.count", to = "count" },
                { drop = "stats" }, { drop = "junk" }, { map = "mood", values = { ok = "okay", bad = "struggling" } },
                { default = "currency", value = "USD" }"#.replace('\n', "");
            let mut data = old;
            for step in steps(&lines) {
                step.apply(&mut data).expect("can be upcast");
            }
            prop_assert_eq!(data, current);
        }
    }
}
