//! The upcasts of a domain: chained from each old version to the one that has a contract, and checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::Files;
use crate::contract::Contract;
use crate::contract::upcast::{Path, Step, Upcast, place};

/// Old versions that are read by a contract of a later one.
#[derive(Debug, Clone, Default)]
pub struct Upcasts {
    by_type: HashMap<String, BTreeMap<String, Chain>>,
    /// Old names of personal fields: they never leave Postgres either.
    pub personal: BTreeSet<String>,
}

/// All steps from an old version to its contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// In the order in which they are taken.
    pub steps: Vec<Step>,
    /// The contract that then reads the data.
    pub contract: usize,
}

impl Upcasts {
    /// The chain of a version, if it is an old one.
    #[must_use]
    pub fn of(&self, event_type: &str, version: &str) -> Option<&Chain> {
        self.by_type.get(event_type)?.get(version)
    }

    /// How many old versions are read.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_type.values().map(BTreeMap::len).sum()
    }

    /// Reads `events/*.upcast.toml`.
    pub(super) fn compile(files: &Files, contracts: &[Contract], faults: &mut Vec<String>) -> Self {
        let mut upcasts = Self::default();
        for (file, text) in files.under("events/", ".upcast.toml") {
            let event_type = file.trim_start_matches("events/").trim_end_matches(".upcast.toml");
            if !contracts.iter().any(|contract| contract.event_type == event_type) {
                // The contract may be there, but broken: that has been said already.
                if files.get(&format!("events/{event_type}.schema.json")).is_none() {
                    faults.push(format!("{file}: there is no contract of the type {event_type:?}"));
                }
                continue;
            }
            match Upcast::parse(text) {
                Ok(declared) => {
                    let of_type = OfType { file, event_type, declared: &declared, contracts };
                    let chains = of_type.chains(faults);
                    upcasts.personal.extend(personal(&chains, contracts));
                    upcasts.by_type.insert(event_type.to_owned(), chains);
                }
                Err(found) => faults.extend(found.iter().map(|fault| format!("{file}: {fault}"))),
            }
        }
        upcasts
    }
}

/// The upcasts of one file.
struct OfType<'d> {
    file: &'d str,
    event_type: &'d str,
    declared: &'d [Upcast],
    contracts: &'d [Contract],
}

impl OfType<'_> {
    fn contract_of(&self, version: &str) -> Option<usize> {
        let is_it = |contract: &Contract| contract.event_type == self.event_type && contract.version == version;
        self.contracts.iter().position(is_it)
    }

    fn chains(&self, faults: &mut Vec<String>) -> BTreeMap<String, Chain> {
        let mut found = BTreeSet::new();
        let mut chains = BTreeMap::new();
        for upcast in self.declared {
            let from = &upcast.from;
            if self.contract_of(from).is_some() {
                found.insert(format!("{}: {from} has a contract of its own, which reads it", self.file));
            }
            if self.declared.iter().filter(|other| other.from == *from).count() > 1 {
                found.insert(format!("{}: there are two upcasts from {from}", self.file));
            }
            match self.follow(upcast) {
                Ok((way, contract)) => {
                    found.extend(self.unknown_ends(&way, &self.contracts[contract]));
                    let steps = way.iter().flat_map(|upcast| upcast.steps.clone()).collect();
                    chains.insert(from.clone(), Chain { steps, contract });
                }
                Err(fault) => drop(found.insert(format!("{}: {fault}", self.file))),
            }
        }
        faults.extend(found);
        chains
    }

    /// From one upcast to the next, up to a version that has a contract.
    fn follow<'u>(&'u self, first: &'u Upcast) -> Result<(Vec<&'u Upcast>, usize), String> {
        let mut way = vec![first];
        loop {
            let to = &way[way.len() - 1].to;
            if let Some(contract) = self.contract_of(to) {
                return Ok((way, contract));
            }
            match self.declared.iter().find(|next| next.from == *to) {
                None => return Err(format!("nothing leads on from {to}: it has neither a contract nor an upcast")),
                Some(next) if way.iter().any(|known| known.from == next.from) => {
                    let mut circle: Vec<&str> = way.iter().map(|upcast| upcast.from.as_str()).collect();
                    circle.sort_unstable();
                    return Err(format!("these upcasts lead in a circle: {}", circle.join(", ")));
                }
                Some(next) => way.push(next),
            }
        }
    }

    /// What steps put somewhere and no later step takes away must be a field of the contract, and fit it.
    fn unknown_ends(&self, way: &[&Upcast], contract: &Contract) -> Vec<String> {
        let mut ends: BTreeMap<Path, (String, Option<Value>)> = BTreeMap::new();
        for upcast in way {
            for (index, step) in upcast.steps.iter().enumerate() {
                let place = format!("{}: {}", self.file, place(&upcast.from, &upcast.to, index));
                follow_ends(&mut ends, step, place);
            }
        }
        let fault = |(path, (place, value)): (Path, (String, Option<Value>))| {
            let name = path.join(".");
            match (contract.place(&path), value) {
                (None, _) => Some(format!("{place}: the contract of {} has no field {name:?}", contract.version)),
                (Some(known), Some(mut value)) => (!known.fits(&mut value)).then(|| {
                    format!("{place}: the default does not fit {name:?} of the contract of {}", contract.version)
                }),
                (Some(_), None) => None,
            }
        };
        ends.into_iter().filter_map(fault).collect()
    }
}

/// Keeps track of what steps put where, with the value where it is known.
fn follow_ends(ends: &mut BTreeMap<Path, (String, Option<Value>)>, step: &Step, place: String) {
    let below = |ends: &BTreeMap<Path, _>, path: &Path| -> Vec<Path> {
        ends.keys().filter(|end| end.starts_with(path)).cloned().collect()
    };
    match step {
        Step::Rename { from, to } => {
            for end in below(ends, from) {
                if let Some(known) = ends.remove(&end) {
                    ends.insert(to.iter().chain(&end[from.len()..]).cloned().collect(), known);
                }
            }
            ends.entry(to.clone()).or_insert((place, None));
        }
        Step::Default { field, value } => {
            ends.insert(field.clone(), (place, Some(value.clone())));
        }
        Step::Drop { field, .. } => {
            for end in below(ends, field) {
                ends.remove(&end);
            }
        }
        Step::Map { field, .. } => {
            ends.insert(field.clone(), (place, None));
        }
    }
}

/// Names under which old shapes have what is personal by a contract, or is said to be where it is dropped.
fn personal(chains: &BTreeMap<String, Chain>, contracts: &[Contract]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        contracts.iter().flat_map(|contract| contract.analytics.personal.iter().cloned()).collect();
    for step in chains.values().flat_map(|chain| chain.steps.iter().rev()) {
        match step {
            // Also what moves into something personal.
            Step::Rename { from, to } if to.iter().any(|name| names.contains(name)) => {
                names.extend(from.last().cloned());
            }
            Step::Drop { field, is_personal: true } => names.extend(field.last().cloned()),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contracts() -> Vec<Contract> {
        let schema = json!({
            "title": "a.b.c", "x-version": "v3", "type": "object",
            "properties": {
                "mail": {"type": "string", "format": "email", "x-pii": true},
                "currency": {"type": "string", "maxLength": 3},
                "inner": {"type": "object", "properties": {"n": {"type": "integer"}}},
                "free": {"type": "object"}
            }
        });
        vec![Contract::compile(&schema.to_string()).expect("compiles")]
    }

    fn compiled(text: &str) -> (Upcasts, Vec<String>) {
        let files = Files::of([("events/a.b.c.upcast.toml", text), ("events/a.b.c.schema.json", "{}")]);
        let mut faults = Vec::new();
        let upcasts = Upcasts::compile(&files, &contracts(), &mut faults);
        (upcasts, faults)
    }

    fn upcast(from: &str, to: &str, steps: &str) -> String {
        format!("[[upcast]]\nfrom = \"{from}\"\nto = \"{to}\"\nsteps = [{steps}]\n")
    }

    #[track_caller]
    fn faulty(text: &str, expected: &[&str]) {
        let (_, faults) = compiled(text);
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for text in expected {
            assert!(faults.iter().any(|fault| fault.contains(text)), "{text} in {faults:#?}");
        }
    }

    #[test]
    fn old_versions_are_chained_to_the_contract() {
        let text = upcast("v1", "v2", r#"{ rename = "e", to = "email" }"#)
            + &upcast("v2", "v3", r#"{ rename = "email", to = "mail" }, { drop = "ssn", personal = true }"#);
        let (upcasts, faults) = compiled(&text);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(upcasts.count(), 2);
        assert_eq!(upcasts.of("a.b.c", "v1").map(|chain| chain.steps.len()), Some(3));
        assert_eq!(upcasts.of("a.b.c", "v2").map(|chain| chain.steps.len()), Some(2));
        assert_eq!(upcasts.of("a.b.c", "v3"), None);
        for name in ["e", "email", "mail", "ssn"] {
            assert!(upcasts.personal.contains(name), "{name} is personal");
        }
    }

    #[test]
    fn gaps_circles_and_versions_that_need_none_are_faults() {
        faulty(&upcast("v1", "v2", ""), &["nothing leads on from v2"]);
        faulty(&(upcast("v1", "v2", "") + &upcast("v2", "v1", "")), &["in a circle: v1, v2"]);
        faulty(&upcast("v1", "v1", ""), &["in a circle: v1"]);
        faulty(&upcast("v3", "v3", ""), &["v3 has a contract of its own"]);
        faulty(&(upcast("v1", "v3", "") + &upcast("v1", "v3", "")), &["two upcasts from v1"]);
        let files = Files::of([("events/x.y.upcast.toml", "")]);
        let mut faults = Vec::new();
        Upcasts::compile(&files, &contracts(), &mut faults);
        assert_eq!(faults, ["events/x.y.upcast.toml: there is no contract of the type \"x.y\""]);
    }

    #[test]
    fn steps_end_in_fields_of_the_contract() {
        faulty(
            &upcast(
                "v1",
                "v3",
                r#"{ rename = "a", to = "b" }, { default = "inner.m", value = 1 }, { map = "c", values = { a = "b" } }"#,
            ),
            &[
                "step 1: the contract of v3 has no field \"b\"",
                "step 2: the contract of v3 has no field \"inner.m\"",
                "step 3",
            ],
        );
        faulty(&upcast("v1", "v3", r#"{ default = "currency", value = "dollars" }"#), &["the default does not fit"]);
        let gone = r#"{ rename = "a", to = "b" }, { rename = "b", to = "inner.n" }, { rename = "x", to = "y.z" },
            { drop = "y" }, { default = "free.anything", value = 1 }, { default = "w.n", value = 1 }, { rename = "w", to = "inner" }"#;
        faulty(&upcast("v1", "v3", &gone.replace('\n', "")), &[]);
        // Said once, though two versions go that way.
        let both = upcast("v1", "v2", "") + &upcast("v2", "v3", r#"{ rename = "a", to = "b" }"#);
        faulty(&both, &["v2 to v3, step 1"]);
    }
}
