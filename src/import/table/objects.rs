//! Rows as JSON objects: in an array, in an object with one in it, or one on each line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Body, Row, Table, lines_in};
use crate::event::{Reason, Rejection};
use crate::gate::{self, Limits};
use crate::import::declare::Declaration;
use crate::import::fault::Fault;
use crate::json;

/// What a row may be: the file is in memory anyway.
const LIMITS: Limits = Limits { event_bytes_max: usize::MAX, event_depth_max: 64 };

pub(super) fn table(text: &str, is_lines: bool) -> Result<Table<'_>, Vec<Fault>> {
    let rows = match is_lines || is_one_object_per_line(text) {
        true => lines(text),
        false => array(text).map_err(|fault| vec![fault])?,
    };
    let mut headers = BTreeSet::new();
    let mut faults = Vec::new();
    for (line, text) in &rows {
        match row(*line, text, None) {
            Ok(row) => headers.extend(row.cells.into_iter().map(|(header, _)| header)),
            Err(fault) => faults.push(fault),
        }
    }
    // Rows that cannot be read are named with all others; where none can be read, nothing else can be said.
    match headers.is_empty() && !faults.is_empty() {
        true => Err(faults),
        false => Ok(Table { headers: headers.into_iter().collect(), without: Vec::new(), body: Body::Json(rows) }),
    }
}

/// More than one line begins with an object.
fn is_one_object_per_line(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_object =
        |line: &str| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() && line.trim_start().starts_with('{');
    lines.next().is_some_and(is_object) && lines.next().is_some()
}

fn lines(text: &str) -> Vec<(u64, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.trim().is_empty()).collect()
}

fn array(text: &str) -> Result<Vec<(u64, &str)>, Fault> {
    const HINT: &str = "give an array of objects, an object with one such array in it, or one object per line";
    let broken = |error: &serde_json::Error| {
        let (line, column) = (error.line() as u64, error.column());
        Fault::of_line(line, format!("is not JSON from column {column} of this line on"), HINT)
    };
    if !text.trim_start().starts_with('{') {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| broken(&error))?;
        return Ok(located(text, &items));
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| broken(&error))?;
    let mut arrays = members.values().filter_map(|member| {
        let items: Vec<&RawValue> = serde_json::from_str(member.get()).ok()?;
        items.iter().all(|item| item.get().starts_with('{')).then_some(items)
    });
    match (arrays.next(), arrays.next()) {
        (None, _) => Ok(vec![(1, text)]),
        (Some(items), None) => Ok(located(text, &items)),
        (Some(_), Some(_)) => Err(Fault::of_file("is an object with several arrays of objects", HINT)),
    }
}

/// Each item with its line: the items are parts of the text.
fn located<'t>(text: &'t str, items: &[&'t RawValue]) -> Vec<(u64, &'t str)> {
    let mut counted = (0, 1);
    let line_of = |item: &&'t RawValue| {
        let begin = (item.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        counted.1 += lines_in(text.as_bytes().get(counted.0..begin).unwrap_or_default());
        counted.0 = begin;
        (counted.1, item.get())
    };
    items.iter().map(line_of).collect()
}

pub(super) fn row(line: u64, text: &str, declaration: Option<&Declaration>) -> Result<Row, Fault> {
    const HINT: &str = "each row must be a JSON object";
    // What could not be stored, or takes a deep stack to read, is no event either.
    gate::check(text.as_bytes(), LIMITS).map_err(|rejection| refused(line, rejection))?;
    match json::parse(text) {
        Ok(Value::Object(members)) => {
            let mut row = Row { line, cells: Vec::new() };
            flatten("", members, declaration, &mut row.cells);
            Ok(row)
        }
        Ok(_) => Err(Fault::of_line(line, "is not an object", HINT)),
        Err(fault) if fault.duplicate_key => {
            Err(Fault::of_line(line, "stands there twice", "name each column once").in_column(column(&fault.pointer)))
        }
        Err(_) => Err(Fault::of_line(line, "is not JSON", HINT)),
    }
}

fn refused(line: u64, rejection: Rejection) -> Fault {
    let hint = "leave it out of the file";
    match (rejection.reason, rejection.field) {
        (Reason::TooDeep, _) => Fault::of_line(line, format!("is {}", rejection.message), hint),
        (_, Some(pointer)) => {
            Fault::of_line(line, format!("has {}", rejection.message), hint).in_column(column(&pointer))
        }
        (_, None) => Fault::of_line(line, format!("has {}", rejection.message), hint),
    }
}

fn column(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn flatten(
    prefix: &str,
    members: Map<String, Value>,
    declaration: Option<&Declaration>,
    cells: &mut Vec<(String, Value)>,
) {
    for (name, value) in members {
        let header = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(inner) if !declaration.is_some_and(|declared| declared.keeps_whole(&header)) => {
                flatten(&header, inner, declaration, cells);
            }
            value => cells.push((header, value)),
        }
    }
}
