//! The imports of a domain, compiled: `imports/<entity>.toml`, and the event that tells of a whole file.

use super::{Files, Settings};
use crate::contract::Contract;
use crate::import::{Declaration, Imports, takes_batches};

/// Imports need the contracts; while those have faults, they are not looked at.
pub(super) fn compile(files: &Files, settings: &Settings, contracts: &[Contract], faults: &mut Vec<String>) -> Imports {
    let mut imports = Imports::default();
    if !faults.is_empty() {
        return imports;
    }
    let entities: Vec<&str> = settings.entities.iter().map(|entity| entity.name.as_str()).collect();
    for (path, text) in files.under("imports/", ".toml") {
        let entity = path.trim_start_matches("imports/").trim_end_matches(".toml");
        match Declaration::compile(entity, text, contracts, &entities) {
            Ok(declaration) => imports.declarations.push(declaration),
            Err(found) => faults.extend(found.iter().map(|fault| format!("{path}: {fault}"))),
        }
    }
    if let Some(event_type) = &settings.import_batch {
        imports.batch = contracts.iter().position(|contract| contract.event_type == *event_type);
        match imports.batch.map(|index| &contracts[index]) {
            None => faults.push(format!("stream.toml: imports.batch: there is no contract of {event_type:?}")),
            Some(contract) => {
                let fault = takes_batches(contract).err();
                faults.extend(fault.map(|fault| format!("stream.toml: imports.batch: {fault}")));
            }
        }
    }
    imports
}
