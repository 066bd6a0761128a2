//! Reading `imports/<entity>.toml`: strict keys, and everything checked against the contracts before the first file.

mod check;
mod written;

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::convert::{Conversion, Kind};
use super::declare::{Column, Condition, Declaration, Origin, Template};
use super::header::snake;
use crate::contract::{Contract, Shape};
use written::{ColumnTable, ConditionTable, EventTable, File, FullOrigin, OriginTable};

/// The fields of the event that tells of a whole file.
const BATCH_FIELDS: [&str; 6] = ["batchId", "entity", "source", "sha256", "rowCount", "importedAt"];

/// Whether a contract may be that of the event that tells of a whole file.
///
/// # Errors
/// The field that it has or lacks.
pub(crate) fn takes_batches(contract: &Contract) -> Result<(), String> {
    let Shape::Object { properties, required } = &contract.shape else {
        return Ok(());
    };
    let lacks = BATCH_FIELDS.iter().find(|name| !properties.contains_key(**name));
    let needs = required.iter().find(|name| !BATCH_FIELDS.contains(&name.as_str()));
    match (lacks, needs) {
        (Some(name), _) => Err(format!("its contract has no field {name:?}")),
        (None, Some(name)) => Err(format!("its contract requires {name:?}, which is not known of a file")),
        (None, None) => Ok(()),
    }
}

impl Declaration {
    /// Compiles a file. Entities are the names of `stream.toml`, in its order.
    ///
    /// # Errors
    /// Every fault of the file.
    pub(crate) fn compile(
        entity: &str,
        text: &str,
        contracts: &[Contract],
        entities: &[&str],
    ) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string().trim().to_owned()])?;
        let mut faults = Vec::new();
        if file.events.is_empty() {
            faults.push("a row becomes no event\n  hint: add [[events]]".to_owned());
        }
        let mut columns: Vec<Column> =
            file.columns.into_iter().map(|(name, table)| column(name, table, &mut faults)).collect();
        check::spellings(&columns, &mut faults);
        let mut templates = Vec::new();
        for event in file.events {
            let place = format!("event {}", event.event_type);
            let mut found = Vec::new();
            templates.extend(template(event, contracts, entities, &columns, &mut found));
            faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
        }
        let used = |name: &str| templates.iter().any(|template| template.uses(name));
        let unused = columns.iter().filter(|column| column.conversion.kind != Kind::Ignored && !used(&column.name));
        if faults.is_empty() {
            faults.extend(unused.map(|column| {
                format!("column {}: no event uses it\n  hint: write as = \"ignored\", or use it", column.name)
            }));
        }
        mark_personal(&mut columns, &templates, contracts);
        match faults.is_empty() {
            true => Ok(Self { entity: entity.to_owned(), source: file.source, columns, templates }),
            false => Err(faults),
        }
    }
}

fn column(name: String, table: ColumnTable, faults: &mut Vec<String>) -> Column {
    let ColumnTable { kind, of, from, also, required, words } = table;
    let [low, high] = from.unwrap_or([Decimal::ZERO, Decimal::ONE]);
    if (kind == Kind::Scale) != from.is_some() || low >= high {
        faults.push(format!("column {name}: a scale, and nothing else, has from = [LOW, HIGH]"));
    }
    if of.is_some() && kind != Kind::List || matches!(of, Some(Kind::List | Kind::Object | Kind::Scale)) {
        faults.push(format!("column {name}: only a list is `of` something, and that is a single value"));
    }
    for spelling in also.iter().chain([&name]).filter(|spelling| snake(spelling) != **spelling) {
        faults.push(format!(
            "column {name}: {spelling:?} is not in snake case; every spelling is read as {:?}",
            snake(spelling)
        ));
    }
    let conversion = Conversion { kind, item: of.unwrap_or(Kind::Text), bounds: (low, high) };
    Column { name, also, conversion, is_required: required, words, is_personal: false }
}

fn template(
    event: EventTable,
    contracts: &[Contract],
    entities: &[&str],
    columns: &[Column],
    faults: &mut Vec<String>,
) -> Option<Template> {
    let is_it = |contract: &Contract| contract.event_type == event.event_type && contract.version == event.version;
    let Some(index) = contracts.iter().position(is_it) else {
        faults.push(format!("there is no contract of it in {}", event.version));
        return None;
    };
    let contract = &contracts[index];
    let template = Template {
        contract: index,
        id: event.id,
        time: event.time.or_else(|| contract.time.clone()).unwrap_or_default(),
        when: event.when.into_iter().filter_map(|table| condition(table, faults)).collect(),
        provides: provided(event.provides, contract, entities, faults),
        fields: event.data.into_iter().map(|(field, table)| (split(&field), origin(table))).collect(),
    };
    check::columns(&template, columns, faults);
    check::fields(&template, contract, faults);
    Some(template)
}

fn split(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

fn origin(table: OriginTable) -> Origin {
    let full = match table {
        OriginTable::Column(name) => FullOrigin { from: vec![name], words: BTreeMap::new(), default: None, days: None },
        OriginTable::Full(full) => full,
    };
    Origin { columns: full.from, words: full.words, default: full.default, days: full.days }
}

fn condition(table: ConditionTable, faults: &mut Vec<String>) -> Option<Condition> {
    match table {
        ConditionTable { has: Some(name), lacks: None, column: None, is: None } => Some(Condition::Has(name)),
        ConditionTable { has: None, lacks: Some(name), column: None, is: None } => Some(Condition::Lacks(name)),
        ConditionTable { has: None, lacks: None, column: Some(name), is: Some(words) } => {
            Some(Condition::Is(name, words))
        }
        _ => {
            faults.push("when: write { has = … }, { lacks = … } or { column = …, is = [ … ] }".to_owned());
            None
        }
    }
}

fn provided(
    table: BTreeMap<String, String>,
    contract: &Contract,
    entities: &[&str],
    faults: &mut Vec<String>,
) -> Vec<(usize, String)> {
    let mut provided = Vec::new();
    for (name, field) in table {
        let entity = entities.iter().position(|entity| *entity == name).filter(|_| contract.provides.contains(&name));
        match entity {
            Some(entity) => provided.push((entity, field)),
            None => faults.push(format!("provides: its contract provides no {name:?}")),
        }
    }
    provided
}

/// A column is personal where a field is that it fills.
fn mark_personal(columns: &mut [Column], templates: &[Template], contracts: &[Contract]) {
    for column in columns {
        column.is_personal = templates.iter().any(|template| {
            let personal = &contracts[template.contract].analytics.personal;
            let fills = |(path, origin): &(Vec<String>, Origin)| {
                origin.uses(&column.name) && path.iter().any(|name| personal.contains(name))
            };
            template.fields.iter().any(fills)
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contracts() -> Vec<Contract> {
        let schema = json!({
            "title": "a.b.c", "x-version": "v1", "type": "object", "required": ["id", "at"], "x-time": "at",
            "x-provides": ["thing"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "at": {"type": "string", "format": "date-time"},
                "mail": {"type": "string", "format": "email", "x-pii": true},
                "n": {"type": "integer", "maximum": 5}
            }
        });
        vec![Contract::compile(&schema.to_string()).expect("compiles")]
    }

    const COLUMNS: &str = "source = \"s\"\n[columns]\nid = { as = \"uuid\" }\nat = { as = \"time\" }\n";
    const EVENT: &str = "[[events]]\ntype = \"a.b.c\"\nid = [\"id\"]\n";
    const DATA: &str = "[events.data]\nid = \"id\"\nat = \"at\"\n";

    fn compile(text: &str) -> Result<Declaration, Vec<String>> {
        Declaration::compile("things", text, &contracts(), &["thing", "other"])
    }

    #[track_caller]
    fn faulty(text: &str, expected: &[&str]) {
        let faults = compile(text).expect_err("it has faults");
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for text in expected {
            assert!(faults.iter().any(|fault| fault.contains(text)), "{text} in {faults:#?}");
        }
    }

    #[test]
    fn a_column_is_personal_where_its_field_is() {
        let text = format!(
            "{COLUMNS}mail = {{ as = \"email\" }}\n{EVENT}provides = {{ thing = \"id\" }}\n{DATA}mail = \"mail\"\n"
        );
        let declaration = compile(&text).expect("compiles");
        let personal: Vec<&str> =
            declaration.columns.iter().filter(|column| column.is_personal).map(|column| column.name.as_str()).collect();
        assert_eq!(personal, ["mail"]);
    }

    #[test]
    fn what_does_not_fit_a_contract_is_found_before_the_first_file() {
        let whole = format!("{COLUMNS}{EVENT}{DATA}");
        compile(&whole).expect("compiles");
        faulty(&format!("{whole}x = \"id\"\n"), &["no field \"x\""]);
        faulty(&format!("{whole}n = {{ default = 9 }}\n"), &["default of \"n\""]);
        faulty(&format!("{whole}n = \"nothing\"\n"), &["no column \"nothing\""]);
        faulty(&whole.replace("a.b.c", "a.b.d"), &["there is no contract of it in v1"]);
        faulty(&whole.replace("at = \"at\"\n", ""), &["\"at\" is required", "\"at\" is none"]);
        faulty(&whole.replace("id = [\"id\"]", "id = []"), &["name the fields"]);
        faulty(
            &whole.replace("id = [\"id\"]", "id = [\"id\"]\nprovides = { other = \"id\" }"),
            &["provides no \"other\""],
        );
        faulty(
            &whole.replace("id = [\"id\"]", "id = [\"id\"]\nwhen = [{ has = \"id\", lacks = \"at\" }]"),
            &["when: write"],
        );
        faulty(&whole.replace("{ as = \"uuid\" }", "{ as = \"uuid\", also = [\"at\"] }"), &["has the name \"at\" too"]);
        faulty(&whole.replace("{ as = \"uuid\" }", "{ as = \"uuid\", also = [\"theId\"] }"), &["not in snake case"]);
        faulty(&whole.replace("{ as = \"uuid\" }", "{ as = \"uuid\", from = [0, 5] }"), &["a scale, and nothing else"]);
        faulty(&whole.replace("[[events]]", "z = { as = \"text\" }\n[[events]]"), &["column z: no event uses it"]);
        faulty(&whole.replace("as = \"uuid\"", "as = \"guid\""), &["unknown variant"]);
        faulty(&whole.replace("source", "sauce"), &["unknown field"]);
    }
}
