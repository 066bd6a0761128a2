//! A row becomes events: converted column by column, put together as declared, and read as the pipeline will read them.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::convert::Kind;
use super::declare::{Column, Declaration, Template};
use super::fault::{Fault, quoted};
use super::table::Row;
use crate::contract::Contract;
use crate::decode::decode;
use crate::derived_id::derived_id;
use crate::domain::Domain;
use crate::event::{Event, Reference};
use crate::instant;

/// A file as a whole: what the event about it says.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its id, from what the file holds.
    pub id: Uuid,
    /// The entity of its rows.
    pub entity: String,
    /// Where it comes from.
    pub source: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its rows.
    pub rows: u64,
}

/// An event that a row has become.
#[derive(Debug, Clone)]
pub struct Made {
    /// As the pipeline will read it.
    pub event: Event,
    /// What to publish, on the subject of its type.
    pub payload: Bytes,
    /// Rows that it brings into being.
    pub provides: Vec<Reference>,
}

/// The id of a file: the same bytes, told to be the same, have the same.
#[must_use]
pub fn batch_id(entity: &str, source: &str, sha256: &str) -> Uuid {
    derived_id(&format!("milepost:import:batch:{entity}:{source}:{sha256}"))
}

/// The events that a row becomes.
///
/// # Errors
/// All that is wrong with it; then it becomes none.
pub fn make(domain: &Domain, declaration: &Declaration, row: &Row, batch: Uuid) -> Result<Vec<Made>, Vec<Fault>> {
    let values = convert(declaration, row)?;
    let mut made = Vec::new();
    let mut faults = Vec::new();
    for template in declaration.templates.iter().filter(|template| template.is_for(&values)) {
        match event(domain, declaration, template, &values, batch, row) {
            Ok(event) => made.push(event),
            Err(fault) => faults.push(fault),
        }
    }
    // What several events take from one column is said once.
    faults.dedup();
    match faults.is_empty() {
        true => Ok(made),
        false => Err(faults),
    }
}

/// The id of the event that tells of a whole file, if the domain declares one.
#[must_use]
pub fn batch_event_id(domain: &Domain, batch: Uuid) -> Option<Uuid> {
    let contract = &domain.contracts[domain.imports.batch?];
    Some(derived_id(&format!("milepost:import:{}:{batch}", contract.event_type)))
}

/// The event that tells of a whole file; its timestamp is when the file was imported.
///
/// # Errors
/// When the domain declares none that takes it.
pub fn batch_event(domain: &Domain, batch: &Batch, imported_at: DateTime<Utc>) -> Option<Made> {
    let contract = &domain.contracts[domain.imports.batch?];
    let at = instant::canonical(imported_at);
    let data = json!({"batchId": batch.id, "entity": batch.entity, "source": batch.source, "sha256": batch.sha256,
        "rowCount": batch.rows, "importedAt": at});
    let id = batch_event_id(domain, batch.id)?;
    read(domain, contract, id, &at, data, batch.id).ok().map(|(event, payload)| Made {
        event,
        payload,
        provides: Vec::new(),
    })
}

fn convert<'d>(declaration: &'d Declaration, row: &Row) -> Result<BTreeMap<&'d str, Value>, Vec<Fault>> {
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for (header, cell) in &row.cells {
        let Some(column) = declaration.column(header) else {
            continue; // unknown columns are a fault of the file, or were left out
        };
        match column.conversion.convert(cell) {
            Ok(Some(value)) => {
                values.insert(column.name.as_str(), column.translate(value));
            }
            Ok(None) => {}
            Err(unfit) => {
                let message = unfit.message + &shown(column, cell);
                faults.push(Fault::of_line(row.line, message, unfit.hint).in_column(header));
            }
        }
    }
    match faults.is_empty() {
        true => Ok(values),
        false => Err(faults),
    }
}

fn shown(column: &Column, cell: &Value) -> String {
    match cell {
        Value::String(text) => quoted(text, column.is_personal),
        Value::Number(number) => quoted(&number.to_string(), column.is_personal),
        _ => String::new(),
    }
}

fn event(
    domain: &Domain,
    declaration: &Declaration,
    template: &Template,
    values: &BTreeMap<&str, Value>,
    batch: Uuid,
    row: &Row,
) -> Result<Made, Fault> {
    let contract = &domain.contracts[template.contract];
    let mut data = Value::Object(Map::new());
    for (path, origin) in &template.fields {
        if let Some(value) = origin.value(values) {
            put(&mut data, path, value);
        }
    }
    let text =
        |name: &String| data.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let id = derived_id(&template.id.iter().fold(format!("milepost:import:{}", contract.event_type), |id, name| {
        id + ":" + &text(name).unwrap_or_default()
    }));
    let at = text(&template.time).unwrap_or_default();
    // The contract first: it names a time that is missing as the field that it is.
    contract
        .read(&mut data.clone())
        .map_err(|violation| (violation.field, violation.message))
        .and_then(|()| read(domain, contract, id, &at, data, batch))
        .map(|(event, payload)| Made { provides: provided(template, &event), event, payload })
        .map_err(|(field, message)| refused(declaration, template, &field, &message, row))
}

/// The document, and what the pipeline will make of it.
fn read(
    domain: &Domain,
    contract: &Contract,
    id: Uuid,
    at: &str,
    data: Value,
    batch: Uuid,
) -> Result<(Event, Bytes), (String, String)> {
    let document = json!({"id": id, "type": contract.event_type, "version": contract.version, "timestamp": at,
        "metadata": {"importBatchId": batch}, "data": data});
    let payload = Bytes::from(document.to_string());
    match decode(domain, &contract.event_type, &payload) {
        Ok(event) => Ok((event, payload)),
        Err(rejection) => Err((rejection.field.unwrap_or_default(), rejection.message)),
    }
}

fn put(data: &mut Value, path: &[String], value: Value) {
    let mut place = data;
    for name in path {
        let Value::Object(object) = place else {
            return; // a value stands where another one goes on: the folder was checked for that
        };
        place = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = value;
}

fn provided(template: &Template, event: &Event) -> Vec<Reference> {
    let key = |field: &String| event.data.get(field).and_then(Value::as_str).and_then(crate::envelope::parse_uuid);
    template
        .provides
        .iter()
        .filter_map(|(entity, field)| Some(Reference { entity: *entity, key: key(field)? }))
        .collect()
}

/// A field that breaks its contract, as the column that it was made of.
fn refused(declaration: &Declaration, template: &Template, field: &str, message: &str, row: &Row) -> Fault {
    let path: Vec<String> = field.trim_start_matches("/data").split('/').skip(1).map(str::to_owned).collect();
    let name = template.column_of(&path);
    let cell = row.cells.iter().find_map(|(header, cell)| {
        let column = declaration.column(header)?;
        (Some(column.name.as_str()) == name).then_some((header, column, cell))
    });
    let message = path.last().and_then(|last| message.strip_prefix(last.as_str())).unwrap_or(message).trim_start();
    let hint = "see the type's contract in the stream folder";
    match (cell, name) {
        (Some((header, column, cell)), _) => {
            let is_single = !matches!(column.conversion.kind, Kind::List | Kind::Object);
            let shown = Some(shown(column, cell)).filter(|_| is_single).unwrap_or_default();
            let shown = if shown.contains("\"\"") { String::new() } else { shown };
            Fault::of_line(row.line, format!("{message}{shown}"), hint).in_column(header)
        }
        (None, Some(name)) => Fault::of_line(row.line, message, hint).in_column(name),
        (None, None) => Fault::of_line(row.line, format!("{field}: {message}"), hint),
    }
}
