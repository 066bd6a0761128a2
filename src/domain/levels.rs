//! The order of dependence: the events that bring an entity into being come before those that refer to it.

use crate::contract::Contract;

/// Sorts contracts into levels; everything that a level requires is provided by earlier levels only.
pub(super) fn of(contracts: &[Contract]) -> Result<Vec<Vec<usize>>, String> {
    let mut levels: Vec<Vec<usize>> = Vec::new();
    let mut open: Vec<usize> = (0..contracts.len()).collect();
    while !open.is_empty() {
        let blocked = |index: &usize| {
            contracts[*index]
                .requires
                .iter()
                .any(|requirement| open.iter().any(|other| contracts[*other].provides.contains(&requirement.entity)))
        };
        let (later, level): (Vec<usize>, Vec<usize>) = open.iter().copied().partition(blocked);
        if level.is_empty() {
            let names: Vec<&str> = later.iter().map(|index| contracts[*index].event_type.as_str()).collect();
            return Err(format!("these contracts require each other in a circle: {}", names.join(", ")));
        }
        levels.push(level);
        open = later;
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract(name: &str, requires: &[&str], provides: &[&str]) -> Contract {
        let requires: Vec<_> = requires.iter().map(|entity| json!({"entity": entity, "field": "id"})).collect();
        let schema = json!({"title": name, "x-version": "v1", "type": "object",
            "properties": {"id": {"type": "string", "format": "uuid"}}, "x-requires": requires, "x-provides": provides});
        Contract::compile(&schema.to_string()).expect("compiles")
    }

    #[test]
    fn what_is_required_comes_first() {
        let contracts = [
            contract("note", &["match"], &[]),
            contract("match", &["person"], &["match"]),
            contract("person", &[], &["person"]),
        ];
        assert_eq!(of(&contracts).expect("no circle"), [vec![2], vec![1], vec![0]]);
    }

    #[test]
    fn a_circle_is_an_error() {
        let contracts = [contract("a", &["y"], &["x"]), contract("b", &["x"], &["y"])];
        assert!(of(&contracts).expect_err("a circle").contains("a, b"));
    }
}
