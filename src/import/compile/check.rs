//! What is wrong with a declaration: names that mean two things or nothing, fields that do not fit the contract.

use std::collections::BTreeMap;

use crate::contract::{Contract, Shape};
use crate::import::convert::Kind;
use crate::import::declare::{Column, Condition, Template};

pub(super) fn spellings(columns: &[Column], faults: &mut Vec<String>) {
    let mut owners: BTreeMap<&String, &String> = BTreeMap::new();
    for column in columns {
        for spelling in column.also.iter().chain([&column.name]) {
            if let Some(other) = owners.insert(spelling, &column.name) {
                faults.push(format!("column {}: {other} has the name {spelling:?} too", column.name));
            }
        }
    }
}

pub(super) fn columns(template: &Template, columns: &[Column], faults: &mut Vec<String>) {
    let known =
        |name: &str| columns.iter().any(|column| column.name == name && column.conversion.kind != Kind::Ignored);
    let conditions = template.when.iter().map(|condition| match condition {
        Condition::Has(name) | Condition::Lacks(name) | Condition::Is(name, _) => name,
    });
    let origins =
        template.fields.iter().flat_map(|(_, origin)| origin.columns.iter().chain(origin.days.iter().flatten()));
    for name in conditions.chain(origins).filter(|name| !known(name)) {
        faults.push(format!("there is no column {name:?} that can be used"));
    }
}

pub(super) fn fields(template: &Template, contract: &Contract, faults: &mut Vec<String>) {
    for (path, origin) in &template.fields {
        let name = path.join(".");
        match (contract.place(path), &origin.default) {
            (None, _) => faults.push(format!("data: its contract has no field {name:?}")),
            (Some(place), Some(default)) if !place.fits(&mut default.clone()) => {
                faults.push(format!("data: the default of {name:?} does not fit its contract"));
            }
            _ => {}
        }
    }
    let filled = |name: &String| template.fields.iter().any(|(path, _)| path.first() == Some(name));
    if let Shape::Object { required, .. } = &contract.shape {
        faults.extend(required.iter().filter(|name| !filled(name)).map(|name| format!("data: {name:?} is required")));
    }
    if template.id.is_empty() {
        faults.push("id: name the fields that tell it from all others of its type".to_owned());
    }
    for name in template.id.iter().chain(template.provides.iter().map(|(_, field)| field)).chain([&template.time]) {
        if !filled(name) {
            faults.push(format!("id, time and provides name fields of data: {name:?} is none"));
        }
    }
}
