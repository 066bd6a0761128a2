//! A domain is a folder: contracts say what an event is, SQL says what it does to tables.
//!
//! Everything here is read and checked once, before the first message; all faults are reported together.

mod derivations;
mod files;
mod imports;
mod levels;
mod privacy;
mod settings;
mod upcasts;
mod written;

use std::collections::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::batch::Batch;
use crate::contract::Contract;
use crate::contract::upcast::Step;
use crate::event::Route;
use crate::feed::Layout;
use crate::gate::Limits;
use crate::import::Imports;
use crate::journey::Journey;
use crate::projection::{Derivation, Projection};

pub use files::{Files, Source};
pub use privacy::{Privacy, Telling};
#[cfg(test)]
pub(crate) use settings::OF_THE_ENGINE;
pub use settings::{Aliases, Consumer, Entity, Retention, Settings, Stream, Table};
pub use upcasts::{Chain, Upcasts};

/// A stream folder, compiled.
#[derive(Debug)]
pub struct Domain {
    /// The domain's name.
    pub name: String,
    /// The JetStream stream that its events come from.
    pub stream: Stream,
    /// The durable consumer.
    pub consumer: Consumer,
    /// The raw gates.
    pub limits: Limits,
    /// The event store's table.
    pub event_log: String,
    /// How long claims are kept before they shrink to ids; `None`: for ever.
    pub claims_kept: Option<std::time::Duration>,
    /// The rows that events refer to.
    pub entities: Vec<Entity>,
    /// One contract per type and version.
    pub contracts: Vec<Contract>,
    /// What files of other systems become.
    pub imports: Imports,
    /// Old versions that are read by these contracts.
    pub upcasts: Upcasts,
    /// What each contract's events do to tables, by the same index; `None`: stored and nothing else.
    pub projections: Vec<Option<Projection>>,
    /// Indexes of contracts in the order of dependence: what a level requires, an earlier one provides.
    pub levels: Vec<Vec<usize>>,
    /// Rows computed from other rows, in the order in which they are computed.
    pub derivations: Vec<Derivation>,
    /// What the events of a person mean; empty where there is no `journey.toml`.
    pub journey: Arc<Journey>,
    /// What analytics gets of the events.
    pub layout: Layout,
    /// Tables whose rows analytics gets whenever they change.
    pub mirrors: Vec<Mirror>,
    /// The tables that follow from the events, in the order of their names.
    pub tables: Vec<Table>,
    /// How people are exported and erased, where the domain says it.
    pub privacy: Option<Privacy>,
    /// Names of the fields that are encrypted in the store, by the index of the contract; `personal` names are in all.
    pub encrypted: Vec<BTreeSet<String>>,
    /// What projections may count, with the help text.
    pub counters: BTreeMap<String, String>,
    /// Names us in the free metadata of events that our own outbox published.
    pub own_source: String,
    own_types: Vec<String>,
    by_type: HashMap<String, Vec<usize>>,
}

/// A table whose rows analytics gets whenever they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its name there.
    pub name: String,
    /// SQL for its rows, with a column `version`.
    pub sql: String,
    /// Where versions come from.
    pub sequence: String,
}

impl Domain {
    /// Reads and compiles a stream folder.
    ///
    /// # Errors
    /// Every fault, each with its file.
    pub fn load(source: &Source) -> Result<Self, Vec<String>> {
        let files = source.read().map_err(|fault| vec![fault])?;
        Self::compile(&files)
    }

    fn compile(files: &Files) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let settings = Settings::parse(files, &mut faults);
        let contracts = contracts(files, &mut faults);
        let upcasts = Upcasts::compile(files, &contracts, &mut faults);
        let projections = projections(files, &contracts, &mut faults);
        let levels = levels::of(&contracts).unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
        let Some(settings) = settings else {
            return Err(faults);
        };
        check_names(&settings, &contracts, &mut faults);
        let derivations = derivations::of(files, &settings, &mut faults);
        let mirrors = mirrors(files, &settings, &mut faults);
        let journey = journey(files, &settings, &contracts, &mut faults);
        let imports = imports::compile(files, &settings, &contracts, &mut faults);
        let privacy = privacy::compile(files, &settings, &contracts, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut layout = Layout::of(&contracts, files.get("analytics/known.sql"));
        layout.personal.extend(upcasts.personal.iter().cloned());
        let encrypted = |contract: &Contract| contract.subjects.keys().chain(&layout.personal).cloned().collect();
        let encrypted = contracts.iter().map(encrypted).collect();
        let mut by_type: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, contract) in contracts.iter().enumerate() {
            by_type.entry(contract.event_type.clone()).or_default().push(index);
        }
        Ok(Self {
            name: settings.name,
            stream: settings.stream,
            consumer: settings.consumer,
            limits: settings.limits,
            event_log: settings.event_log,
            claims_kept: settings.claims_kept,
            entities: settings.entities,
            counters: settings.counters,
            own_types: settings.own_types,
            own_source: settings.own_source,
            layout,
            mirrors,
            tables: settings.tables,
            contracts,
            imports,
            privacy,
            encrypted,
            upcasts,
            projections,
            levels,
            derivations,
            journey: Arc::new(journey),
            by_type,
        })
    }

    /// The contract of a type in a version, if there is one.
    #[must_use]
    pub fn contract_of(&self, event_type: &str, version: &str) -> Option<usize> {
        let candidates = self.by_type.get(event_type)?;
        candidates.iter().copied().find(|index| self.contracts[*index].version == version)
    }

    /// How an event of this type and version is read: by which contract, and after which steps, if it is an old one.
    #[must_use]
    pub fn reading_of(&self, event_type: &str, version: &str) -> Option<(usize, &[Step])> {
        if let Some(contract) = self.contract_of(event_type, version) {
            return Some((contract, &[]));
        }
        self.upcasts.of(event_type, version).map(|chain| (chain.contract, chain.steps.as_slice()))
    }

    /// The entity of that name.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.entities.iter().position(|entity| entity.name == name)
    }

    /// Whether one of these events erases a person.
    #[must_use]
    pub fn erases_in(&self, batch: &Batch) -> bool {
        let Some(privacy) = &self.privacy else { return false };
        let erasing = Route::Contract(privacy.erased.contract);
        batch.messages.iter().any(|message| message.content.as_ref().is_ok_and(|event| event.route == erasing))
    }

    /// Whether an event was published by our own outbox.
    #[must_use]
    pub fn is_own(&self, event_type: &str, metadata: Option<&Value>) -> bool {
        self.own_types.iter().any(|own| own == event_type)
            && metadata.and_then(|metadata| metadata.get("source")).and_then(Value::as_str)
                == Some(self.own_source.as_str())
    }
}

fn contracts(files: &Files, faults: &mut Vec<String>) -> Vec<Contract> {
    let mut contracts: Vec<Contract> = Vec::new();
    for (path, text) in files.under("events/", ".schema.json") {
        match Contract::compile(text) {
            Ok(contract) => {
                let same =
                    |other: &Contract| other.event_type == contract.event_type && other.version == contract.version;
                if contracts.iter().any(same) {
                    let name = format!("{} {}", contract.event_type, contract.version);
                    faults.push(format!("{path}: there is another contract of {name}"));
                }
                if !path.starts_with(&format!("events/{}.", contract.event_type)) {
                    faults.push(format!("{path}: the file is not named after its title {:?}", contract.event_type));
                }
                contracts.push(contract);
            }
            Err(found) => faults.extend(found.iter().map(|fault| format!("{path}{fault}"))),
        }
    }
    contracts
}

/// `events/<type>.sql` belongs to v1, `events/<type>.<version>.sql` to any other version.
fn projections(files: &Files, contracts: &[Contract], faults: &mut Vec<String>) -> Vec<Option<Projection>> {
    let mut used = Vec::new();
    let projections = contracts
        .iter()
        .map(|contract| {
            let path = match contract.version.as_str() {
                "v1" => format!("events/{}.sql", contract.event_type),
                version => format!("events/{}.{version}.sql", contract.event_type),
            };
            let text = files.get(&path)?;
            let compiled = Projection::compile(&path, text, contract);
            used.push(path);
            compiled.map_err(|fault| faults.push(fault)).ok()
        })
        .collect();
    for (path, _) in files.under("events/", ".sql").filter(|(path, _)| !used.iter().any(|used| used == path)) {
        // The contract is there, but broken: that has been said already.
        if files.get(&path.replace(".sql", ".schema.json")).is_some() {
            continue;
        }
        faults.push(format!("{path}: there is no contract of that name"));
    }
    projections
}

fn mirrors(files: &Files, settings: &Settings, faults: &mut Vec<String>) -> Vec<Mirror> {
    let mut mirrors = Vec::new();
    for entry in &settings.mirrored {
        let path = format!("analytics/{}.sql", entry.name);
        match files.get(&path) {
            Some(text) => {
                let lines = text.lines().filter(|line| !line.starts_with("--"));
                let sql = lines.collect::<Vec<_>>().join("\n").trim().trim_end_matches(';').to_owned();
                mirrors.push(Mirror { name: entry.name.clone(), sql, sequence: entry.sequence.clone() });
            }
            None => faults.push(format!("stream.toml: mirrored {:?}: there is no {path}", entry.name)),
        }
    }
    mirrors
}

/// Journeys need the contracts; while those have faults, what depends on them is not looked at.
fn journey(files: &Files, settings: &Settings, contracts: &[Contract], faults: &mut Vec<String>) -> Journey {
    let Some(text) = files.get("journey.toml").filter(|_| faults.is_empty()) else {
        return Journey::default();
    };
    let entities: Vec<&str> = settings.entities.iter().map(|entity| entity.name.as_str()).collect();
    let journey = Journey::compile(text, contracts, &entities).unwrap_or_else(|found| {
        faults.extend(found);
        Journey::default()
    });
    let published = journey.published.iter().flat_map(|types| [&types.milestone_reached, &types.profile_updated]);
    for unknown in published.filter(|one| !settings.own_types.contains(one)) {
        faults.push(format!("journey.toml: publish: {unknown} is not among the own types of stream.toml"));
    }
    journey
}

fn check_names(settings: &Settings, contracts: &[Contract], faults: &mut Vec<String>) {
    let known = |name: &str| settings.entities.iter().any(|entity| entity.name == name);
    for contract in contracts {
        let required = contract.requires.iter().map(|requirement| &requirement.entity);
        for name in required.chain(&contract.provides).filter(|name| !known(name)) {
            let names: Vec<&str> = settings.entities.iter().map(|entity| entity.name.as_str()).collect();
            let list = names.join(", ");
            faults.push(format!("events/{}: no entity {name:?}; stream.toml has {list}", contract.event_type));
        }
    }
}
