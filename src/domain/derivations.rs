//! What is computed from other rows: its SQL, when that is run, and by whose notes.

use super::Files;
use super::settings::{Derived, Settings};
use crate::projection::{Derivation, ERASED, MERGED, When};

/// Compiles them, in the order in which they are computed.
pub(super) fn of(files: &Files, settings: &Settings, faults: &mut Vec<String>) -> Vec<Derivation> {
    let mut derivations = Vec::new();
    for entry in &settings.derived {
        let path = format!("derived/{}.sql", entry.name);
        let notes = notes(entry, settings);
        let compiled = notes.and_then(|notes| Ok((notes, when(entry, settings)?)));
        let compiled = compiled.and_then(|(notes, when)| match files.get(&path) {
            Some(text) => Derivation::compile(&path, text, (&entry.name, notes), when),
            None => Err(format!("stream.toml: derived {:?}: there is no {path}", entry.name)),
        });
        match compiled {
            Ok(derivation) => derivations.push(derivation),
            Err(fault) => faults.push(fault),
        }
    }
    derivations
}

/// Whose notes something is derived from.
fn notes<'e>(entry: &'e Derived, settings: &Settings) -> Result<&'e str, String> {
    let Some(notes) = &entry.notes else {
        return Ok(&entry.name);
    };
    let has_own = |other: &&Derived| other.name == *notes && other.later && other.notes.is_none();
    match entry.later && settings.derived.iter().any(|other| has_own(&other)) {
        true => Ok(notes),
        false => Err(format!(
            "stream.toml: derived {:?}: it cannot be derived from the notes of {notes:?}\n  hint: both must be \
             `later = true`, and that one have notes of its own",
            entry.name
        )),
    }
}

fn when(entry: &Derived, settings: &Settings) -> Result<When, String> {
    let place = format!("stream.toml: derived {:?}", entry.name);
    if entry.name == MERGED {
        return Err(format!("{place}: the name says that people were merged\n  hint: name it after what is derived"));
    }
    if entry.name == ERASED {
        return Err(format!("{place}: the name says that somebody was erased\n  hint: name it after what is derived"));
    }
    match (&entry.lock, entry.later) {
        (None, true) => Ok(When::Later),
        (Some(lock), false) => {
            let entity = settings.entities.iter().position(|entity| entity.name == *lock);
            entity.map(When::Locked).ok_or_else(|| format!("{place}: no entity {lock:?}"))
        }
        _ => Err(format!(
            "{place}: it is either locked or derived later\n  hint: write `lock = \"…\"` (an entity) or `later = true`"
        )),
    }
}
