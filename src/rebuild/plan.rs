//! Which tables are rebuilt, compared and swapped.

use std::collections::BTreeSet;

use crate::domain::{Domain, Table};

/// Tables of the engine that follow from the events.
fn of_the_engine() -> [Table; 6] {
    let table = |name: &str| Table { name: name.to_owned(), ..Table::default() };
    let people = ["journey_flags", "journey_milestones", "journey_timers"].map(str::to_owned);
    [
        // What facts say is in flags, milestones and timers; their bytes also keep what was said and taken back.
        Table { together: people.into(), is_internal: true, ..table("journey_facts") },
        Table { is_internal: true, ..table("journey_facts_merged") },
        Table { apart: vec!["id".into()], ..table("journey_flags") },
        Table { apart: vec!["id".into()], ..table("journey_milestones") },
        table("journey_timers"),
        Table { is_internal: true, ..table("touched_later") },
    ]
}

/// What a rebuild is about.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All tables that follow from the events: they are filled together, because the domain's SQL reads and writes them
    /// together.
    pub tables: Vec<Table>,
    /// Those that are compared and put in place.
    pub named: BTreeSet<String>,
}

impl Plan {
    /// Everything.
    #[must_use]
    pub fn all(domain: &Domain) -> Self {
        let mut tables: Vec<Table> = of_the_engine().into_iter().chain(domain.tables.clone()).collect();
        let person = domain.entities.iter().find(|entity| entity.name == domain.journey.person);
        for facts in tables.iter_mut().filter(|table| table.name == "journey_facts") {
            // The summary of a person's journey stands in their row.
            facts.together.extend(person.map(|person| person.table.clone()));
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        tables.dedup_by(|one, other| one.name == other.name);
        let named = tables.iter().map(|table| table.name.clone()).collect();
        Self { tables, named }
    }

    /// These tables only.
    ///
    /// # Errors
    /// In words, when there is no such table among those that can be rebuilt.
    pub fn of(domain: &Domain, names: &[String]) -> Result<Self, String> {
        let all = Self::all(domain);
        if let Some(unknown) = names.iter().find(|name| !all.named.contains(*name)) {
            let known = all.named.iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("{unknown:?} is no table that follows from the events\n  hint: these do: {known}"));
        }
        Ok(Self { named: names.iter().cloned().collect(), ..all })
    }

    /// Tables that make sense only together with named ones, and are not named.
    #[must_use]
    pub fn lacking(&self) -> BTreeSet<String> {
        let mut whole = self.named.clone();
        loop {
            let groups = self.tables.iter().filter(|table| !table.together.is_empty());
            let groups =
                groups.map(|table| table.together.iter().chain([&table.name]).cloned().collect::<BTreeSet<_>>());
            let more: BTreeSet<String> = groups.filter(|group| !group.is_disjoint(&whole)).flatten().collect();
            if more.is_subset(&whole) {
                return whole.difference(&self.named).cloned().collect();
            }
            whole.extend(more);
        }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.tables.iter().map(|table| table.name.as_str()).collect()
    }

    pub(crate) fn named(&self) -> Vec<&str> {
        self.named.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::of_the_engine;

    #[test]
    fn stream_toml_may_name_the_same_tables_of_the_engine() {
        assert_eq!(of_the_engine().map(|table| table.name), crate::domain::OF_THE_ENGINE);
    }
}
