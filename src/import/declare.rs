//! What files of an entity look like, and what their rows become: as `imports/<entity>.toml` says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::convert::{Conversion, Kind};
use super::header::snake;

/// All that a stream folder can import.
#[derive(Debug, Clone, Default)]
pub struct Imports {
    /// One per entity, by name.
    pub declarations: Vec<Declaration>,
    /// The contract of the event that tells of a whole file.
    pub batch: Option<usize>,
}

/// What files of one entity look like, and what their rows become.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The name that operators use: that of the file.
    pub entity: String,
    /// Where such files come from, unless the operator says otherwise.
    pub source: String,
    pub(super) columns: Vec<Column>,
    pub(super) templates: Vec<Template>,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) also: Vec<String>,
    pub(super) conversion: Conversion,
    pub(super) is_required: bool,
    pub(super) words: BTreeMap<String, String>,
    pub(super) is_personal: bool,
}

/// An event that a row becomes.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) contract: usize,
    /// Fields that tell this event from all others of its type: its id is made of them.
    pub(super) id: Vec<String>,
    /// The field with the event's time.
    pub(super) time: String,
    /// One of these must hold; none: every row becomes it.
    pub(super) when: Vec<Condition>,
    /// Entities that it brings into being, by the field with the key.
    pub(super) provides: Vec<(usize, String)>,
    pub(super) fields: Vec<(Vec<String>, Origin)>,
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Has(String),
    Lacks(String),
    Is(String, Vec<String>),
}

/// Where a field comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The first of these columns that has a value.
    pub(super) columns: Vec<String>,
    pub(super) words: BTreeMap<String, String>,
    pub(super) default: Option<Value>,
    /// Whole days from the first of two times to the second, begun ones counted.
    pub(super) days: Option<[String; 2]>,
}

impl Declaration {
    /// The column that a header means. `a.b` is a part of the object `a`, or the column `a_b`.
    pub(super) fn column(&self, header: &str) -> Option<&Column> {
        let whole = header.split_once('.').and_then(|(top, _)| self.named(&snake(top)));
        whole.filter(|column| column.conversion.kind == Kind::Object).or_else(|| self.named(&snake(header)))
    }

    /// Whether an object under this header is the value of a column.
    pub(super) fn keeps_whole(&self, header: &str) -> bool {
        self.named(&snake(header)).is_some_and(|column| column.conversion.kind == Kind::Object)
    }

    /// The name of the column that a header means, and whether it is one that takes whole objects.
    pub(super) fn column_name(&self, header: &str) -> Option<(&str, bool)> {
        self.column(header).map(|column| (column.name.as_str(), column.conversion.kind == Kind::Object))
    }

    fn named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name || column.also.iter().any(|also| also == name))
    }

    /// Columns that rows must have, and none of these headers means.
    #[must_use]
    pub fn lacking(&self, headers: &[String]) -> Vec<&str> {
        let has =
            |name: &str| headers.iter().any(|header| self.column_name(header).is_some_and(|(known, _)| known == name));
        let required = self.columns.iter().filter(|column| column.is_required).map(|column| column.name.as_str());
        required.filter(|name| !has(name)).collect()
    }

    /// Contracts of the events that rows become.
    pub fn contracts(&self) -> impl Iterator<Item = usize> {
        self.templates.iter().map(|template| template.contract)
    }
}

impl Column {
    /// One word instead of another; a word that is not listed stays, for the contract to judge.
    pub(super) fn translate(&self, value: Value) -> Value {
        translate(&self.words, value)
    }
}

impl Origin {
    /// The value of the field, from the values of the row's columns.
    pub(super) fn value(&self, row: &BTreeMap<&str, Value>) -> Option<Value> {
        if let Some([from, to]) = &self.days {
            let moment = |name: &String| crate::instant::parse(row.get(name.as_str())?.as_str()?);
            let seconds = (moment(to)? - moment(from)?).num_seconds();
            // The same moment is a day; an end before its begin is none, and the contract says so.
            let seconds = if seconds == 0 { 1 } else { seconds };
            return Some((seconds + 86_399).div_euclid(86_400).into());
        }
        let found = self.columns.iter().find_map(|name| row.get(name.as_str()));
        found.map(|value| translate(&self.words, value.clone())).or_else(|| self.default.clone())
    }
}

impl Template {
    pub(super) fn uses(&self, column: &str) -> bool {
        let by_condition = self.when.iter().any(|condition| match condition {
            Condition::Has(name) | Condition::Lacks(name) | Condition::Is(name, _) => name == column,
        });
        by_condition || self.fields.iter().any(|(_, origin)| origin.uses(column))
    }

    /// Whether this row becomes the event.
    pub(super) fn is_for(&self, row: &BTreeMap<&str, Value>) -> bool {
        let text = |name: &String| row.get(name.as_str()).and_then(Value::as_str);
        self.when.is_empty()
            || self.when.iter().any(|condition| match condition {
                Condition::Has(name) => row.contains_key(name.as_str()),
                Condition::Lacks(name) => !row.contains_key(name.as_str()),
                Condition::Is(name, words) => text(name).is_some_and(|text| words.iter().any(|word| word == text)),
            })
    }

    /// The column that a field is made of, for messages.
    pub(super) fn column_of(&self, path: &[String]) -> Option<&str> {
        let is_it = |field: &Vec<String>| path.starts_with(field) || field.starts_with(path);
        let (_, origin) = self.fields.iter().find(|(field, _)| !path.is_empty() && is_it(field))?;
        origin.columns.first().or_else(|| origin.days.as_ref().map(|[_, to]| to)).map(String::as_str)
    }
}

impl Origin {
    pub(super) fn uses(&self, column: &str) -> bool {
        self.columns.iter().chain(self.days.iter().flatten()).any(|name| name == column)
    }
}

fn translate(words: &BTreeMap<String, String>, value: Value) -> Value {
    match value.as_str().and_then(|word| words.get(word)) {
        Some(word) => word.clone().into(),
        None => value,
    }
}
