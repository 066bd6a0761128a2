//! `imports/<entity>.toml` as it is written.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use crate::import::convert::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) source: String,
    pub(super) columns: BTreeMap<String, ColumnTable>,
    pub(super) events: Vec<EventTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnTable {
    #[serde(rename = "as")]
    pub(super) kind: Kind,
    pub(super) of: Option<Kind>,
    pub(super) from: Option<[Decimal; 2]>,
    #[serde(default)]
    pub(super) also: Vec<String>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) words: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventTable {
    #[serde(rename = "type")]
    pub(super) event_type: String,
    #[serde(default = "first_version")]
    pub(super) version: String,
    pub(super) id: Vec<String>,
    pub(super) time: Option<String>,
    #[serde(default)]
    pub(super) when: Vec<ConditionTable>,
    #[serde(default)]
    pub(super) provides: BTreeMap<String, String>,
    pub(super) data: BTreeMap<String, OriginTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionTable {
    pub(super) has: Option<String>,
    pub(super) lacks: Option<String>,
    pub(super) column: Option<String>,
    pub(super) is: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OriginTable {
    Column(String),
    Full(FullOrigin),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullOrigin {
    #[serde(default)]
    pub(super) from: Vec<String>,
    #[serde(default)]
    pub(super) words: BTreeMap<String, String>,
    pub(super) default: Option<Value>,
    pub(super) days: Option<[String; 2]>,
}

fn first_version() -> String {
    "v1".to_owned()
}
