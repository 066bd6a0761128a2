//! What analytics makes of a contract: by what it groups (`x-dimensions`), what it measures (`x-measures`), and which
//! fields are personal (`x-pii`).

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::Shape;

/// Smaller numbers are zero: a decimal has no room for them.
const SMALLEST: f64 = 1e-27;

/// What a contract says about analytics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analytics {
    /// Columns of UUIDs, with the field of `data` that holds each.
    pub dimensions: BTreeMap<String, String>,
    /// Columns of numbers, and how each follows from `data`.
    pub measures: BTreeMap<String, Measure>,
    /// Names of fields that hold personal data.
    pub personal: BTreeSet<String>,
    /// Fields of `data` that all this, the event's person and its time follow from.
    pub fields: BTreeSet<String>,
}

/// How a number follows from the data of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// The field at this path, times something.
    Field {
        /// Where it stands.
        path: Vec<String>,
        /// The factor, such as 60 for hours that are measured in minutes.
        times: Decimal,
    },
    /// The mean of those of these fields that are there.
    Mean(Vec<Vec<String>>),
}

impl Measure {
    /// The number, as far as the normalised data has it.
    #[must_use]
    pub fn of(&self, data: &Value) -> Option<Decimal> {
        match self {
            Self::Field { path, times } => number_at(data, path)?.checked_mul(*times),
            Self::Mean(paths) => {
                let numbers: Vec<Decimal> = paths.iter().filter_map(|path| number_at(data, path)).collect();
                let sum: Decimal = numbers.iter().sum();
                sum.checked_div(Decimal::from(numbers.len()))
            }
        }
    }

    fn paths(&self) -> Vec<&[String]> {
        match self {
            Self::Field { path, .. } => vec![path],
            Self::Mean(paths) => paths.iter().map(Vec::as_slice).collect(),
        }
    }
}

fn number_at(data: &Value, path: &[String]) -> Option<Decimal> {
    let value = path.iter().try_fold(data, |value, name| value.get(name))?;
    let number = value.as_number()?;
    if number.as_f64().is_some_and(|number| number.abs() < SMALLEST) {
        return Some(Decimal::ZERO);
    }
    let text = number.to_string();
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// Reads the annotations of a schema.
pub(super) fn read(root: &Map<String, Value>, shape: &Shape, faults: &mut Vec<String>) -> Analytics {
    let mut analytics = Analytics::default();
    personal(root, &mut analytics.personal);
    for (column, field) in entries(root, "x-dimensions", faults) {
        let place = format!("/x-dimensions/{column}");
        match field.as_str().map(|field| (field, shape_at(shape, &path(field)))) {
            Some((field, Some(Shape::Uuid))) => {
                analytics.dimensions.insert(column, field.to_owned());
            }
            _ => faults.push(format!("{place}: must name a property whose format is uuid")),
        }
    }
    for (column, definition) in entries(root, "x-measures", faults) {
        let place = format!("/x-measures/{column}");
        let Some(measure) = measure(&definition) else {
            let forms = "must be a field, {\"field\": …, \"times\": …} or {\"mean\": […]}";
            faults.push(format!("{place}: {forms}"));
            continue;
        };
        for path in measure.paths() {
            if !matches!(shape_at(shape, path), Some(Shape::Integer(..) | Shape::Number(..))) {
                faults.push(format!("{place}: there is no number {:?}", path.join(".")));
            }
        }
        analytics.fields.extend(measure.paths().iter().filter_map(|path| path.first().cloned()));
        analytics.measures.insert(column, measure);
    }
    analytics.fields.extend(analytics.dimensions.values().cloned());
    let named = ["x-user", "x-time"].into_iter().filter_map(|name| root.get(name)?.as_str());
    analytics.fields.extend(named.map(str::to_owned));
    analytics
}

/// The entries of an annotation that is an object of columns.
fn entries(root: &Map<String, Value>, name: &str, faults: &mut Vec<String>) -> Vec<(String, Value)> {
    match root.get(name) {
        None => Vec::new(),
        Some(Value::Object(columns)) => {
            let is_column = |column: &str| column.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            for column in columns.keys().filter(|column| !is_column(column)) {
                faults.push(format!("/{name}/{column}: a column is lower-case letters and underscores"));
            }
            columns.iter().map(|(column, value)| (column.clone(), value.clone())).collect()
        }
        Some(_) => {
            faults.push(format!("/{name}: must be an object of columns"));
            Vec::new()
        }
    }
}

fn measure(definition: &Value) -> Option<Measure> {
    if let Some(field) = definition.as_str() {
        return Some(Measure::Field { path: path(field), times: Decimal::ONE });
    }
    let definition = definition.as_object()?;
    let keys: Vec<&str> = definition.keys().map(String::as_str).collect();
    match keys[..] {
        ["field", "times"] => {
            let times = definition["times"].as_number()?.to_string().parse().ok()?;
            Some(Measure::Field { path: path(definition["field"].as_str()?), times })
        }
        ["mean"] => {
            let fields = definition["mean"].as_array()?;
            let paths: Option<Vec<_>> = fields.iter().map(|field| field.as_str().map(path)).collect();
            paths.filter(|paths| !paths.is_empty()).map(Measure::Mean)
        }
        _ => None,
    }
}

fn path(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

fn shape_at<'s>(shape: &'s Shape, path: &[String]) -> Option<&'s Shape> {
    path.iter().try_fold(shape, |shape, name| match shape {
        Shape::Object { properties, .. } => properties.get(name),
        _ => None,
    })
}

/// Names of the properties that are marked, at any depth.
fn personal(schema: &Map<String, Value>, names: &mut BTreeSet<String>) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if property.get("x-pii") == Some(&Value::Bool(true)) {
            names.insert(name.clone());
        }
        let inner = [Some(property), property.get("items")];
        inner.into_iter().flatten().filter_map(Value::as_object).for_each(|inner| personal(inner, names));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn measures_are_decimals() {
        let data = json!({"hours": 0.1, "feedback": {"a": 0.7, "b": 0.8}, "big": 1e12});
        let times = |field, times: i64| Measure::Field { path: path(field), times: Decimal::from(times) };
        assert_eq!(times("hours", 60).of(&data), "6".parse().ok());
        assert_eq!(times("big", 1).of(&data), "1000000000000".parse().ok());
        assert_eq!(times("feedback.c", 1).of(&data), None);
        let mean = |fields: &[&str]| Measure::Mean(fields.iter().map(|field| path(field)).collect());
        assert_eq!(mean(&["feedback.a", "feedback.b"]).of(&data), "0.75".parse().ok());
        assert_eq!(mean(&["feedback.a", "feedback.c"]).of(&data), "0.7".parse().ok());
        assert_eq!(mean(&["feedback.c"]).of(&data), None);
    }

    #[test]
    fn faults_are_named() {
        let schema = json!({"title": "a", "x-version": "v1", "type": "object",
            "x-dimensions": {"company_id": "name", "Bad": "id"},
            "x-measures": {"minutes": "name", "points": {"times": 2}, "fine": {"mean": ["n"]}},
            "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string", "x-pii": true},
                "n": {"type": "integer"}}});
        let faults = crate::contract::Contract::compile(&schema.to_string()).expect_err("has faults");
        let places: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        let expected = ["/x-dimensions/Bad", "/x-dimensions/company_id", "/x-measures/minutes", "/x-measures/points"];
        assert_eq!(places, expected);
    }
}
