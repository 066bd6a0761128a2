//! What is said of an import: faults to people, a summary to tools.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::check::{Checked, Checkee};
use crate::domain::Domain;

/// How the import was made.
pub(super) struct Way {
    pub(super) is_dry_run: bool,
    pub(super) is_partial: bool,
    /// Something is wrong, and so nothing was imported.
    pub(super) is_stopped: bool,
    pub(super) began: Instant,
}

/// Every fault on a line, in the order of files and lines; what to do about a kind of fault only once.
pub(super) fn tell_faults(checked: &Checked) {
    let mut faults: Vec<_> = checked.faults.iter().collect();
    faults.sort_by_key(|(place, fault)| (*place, fault.line));
    let mut hinted = HashSet::new();
    for (place, fault) in faults {
        let separator = if fault.line.is_some() { ":" } else { ": " };
        eprintln!("error: {}{separator}{fault}", checked.names[*place]);
        if hinted.insert(fault.hint) {
            eprintln!("  hint: {}", fault.hint);
        }
    }
}

/// The summary: a row is refused or becomes events, and these are published or were known.
pub(super) fn summary(domain: &Domain, checked: &Checked, published: &BTreeMap<usize, u64>, way: &Way) -> Value {
    let files: Vec<Value> = checked.files.iter().map(|file| of_file(checked, file, published)).collect();
    let sum = |field: &str| files.iter().filter_map(|file| file[field].as_u64()).sum::<u64>();
    let missing: Vec<Value> = checked.missing.iter().map(|(reference, rows)| {
        json!({"entity": domain.entities[reference.entity].name, "id": reference.key, "rows": rows})
    }).collect();
    json!({
        "imported": !way.is_stopped && !way.is_dry_run, "dry_run": way.is_dry_run, "partial": way.is_partial,
        "rows": sum("rows"), "refused": sum("refused"), "events": sum("events"), "known": sum("known"),
        "published": sum("published"), "faults": checked.faults.len(), "missing": missing, "files": files,
        "seconds": way.began.elapsed().as_secs_f64(),
    })
}

fn of_file(checked: &Checked, file: &Checkee, published: &BTreeMap<usize, u64>) -> Value {
    let accepted = || file.rows.iter().filter(|row| !row.is_refused).flat_map(|row| &row.events);
    json!({
        "file": checked.names[file.place], "entity": file.batch.entity, "batch_id": file.batch.id,
        "sha256": file.batch.sha256, "rows": file.batch.rows, "refused": file.refused(),
        "events": accepted().count(), "known": accepted().filter(|event| event.is_known).count(),
        "published": published.get(&file.place).copied().unwrap_or_default(),
    })
}
