//! What a domain says about privacy: `privacy/*.sql`, and the events that tell of what was done.

use super::{Files, Settings};
use crate::contract::Contract;

/// How people are exported and erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// Rows (`section` text, `row` jsonb) that are held of the person `$1`, redacted.
    pub export: String,
    /// Texts by which the person `$1` is found in what nobody could read: ids, e-mails, names.
    pub traces: String,
    /// The event that a person was given what is held of them.
    pub exported: Telling,
    /// The event that erases a person: its projection does it.
    pub erased: Telling,
}

/// An event about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Index of its contract.
    pub contract: usize,
    /// Its `data` (jsonb): `$1` the person, `$2` an id for it, `$3` the moment. No row when nobody is known by that id.
    pub data: String,
}

impl Privacy {
    /// Its SQL, with the files that it is from.
    pub(crate) fn statements(&self) -> [(&'static str, &str); 4] {
        [
            ("privacy/export.sql", &self.export),
            ("privacy/traces.sql", &self.traces),
            ("privacy/exported.sql", &self.exported.data),
            ("privacy/erased.sql", &self.erased.data),
        ]
    }
}

/// Privacy needs the contracts; while those have faults, it is not looked at.
pub(super) fn compile(
    files: &Files,
    settings: &Settings,
    contracts: &[Contract],
    faults: &mut Vec<String>,
) -> Option<Privacy> {
    let declared = settings.privacy.as_ref().filter(|_| faults.is_empty())?;
    let mut sql = |name: &str| {
        let found = files.get(name).map(str::to_owned);
        if found.is_none() {
            faults.push(format!("stream.toml: privacy: there is no {name}"));
        }
        found
    };
    let [export, traces] = ["privacy/export.sql", "privacy/traces.sql"].map(&mut sql);
    let [exported, erased] = ["privacy/exported.sql", "privacy/erased.sql"].map(&mut sql);
    let mut telling = |name: &str, event_type: &str, data: Option<String>| {
        let contract = contracts.iter().position(|contract| contract.event_type == event_type);
        if contract.is_none() {
            faults.push(format!("stream.toml: privacy.{name}: there is no contract of {event_type:?}"));
        }
        Some(Telling { contract: contract?, data: data? })
    };
    let exported = telling("exported", &declared.exported, exported);
    let erased = telling("erased", &declared.erased, erased);
    Some(Privacy { export: export?, traces: traces?, exported: exported?, erased: erased? })
}
