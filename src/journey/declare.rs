//! `journey.toml` as it is written. Names are not looked up here; places are kept, so that faults can name them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::fact::Telling;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The entity of `stream.toml` whose rows the journeys are about.
    pub(super) person: Spanned<String>,
    /// A jsonb column of that entity's table for the summary.
    pub(super) summary_column: Option<Spanned<String>>,
    pub(super) publish: Option<super::event::Published>,
    #[serde(default)]
    pub(super) signals: Vec<Spanned<Signal>>,
    #[serde(default)]
    pub(super) facts: BTreeMap<Spanned<String>, Fact>,
    #[serde(default)]
    pub(super) flags: BTreeMap<Spanned<String>, Flag>,
    #[serde(default)]
    pub(super) milestones: BTreeMap<Spanned<String>, Milestone>,
    #[serde(default)]
    pub(super) summary: BTreeMap<String, Spanned<Summary>>,
}

/// What an event means for a person: rows `person, at, event`, and where needed `until, key, label, value, rank`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signal {
    pub(super) name: String,
    pub(super) event: String,
    #[serde(default = "first_version")]
    pub(super) version: String,
    /// The labels that its rows may have.
    #[serde(default)]
    pub(super) labels: Vec<String>,
    pub(super) sql: String,
}

/// A fact: `occurrences`, or `begin` and the rest for episodes. Signals are named `name` or `name:label`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fact {
    pub(super) occurrences: Option<Vec<Spanned<String>>>,
    pub(super) begin: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) begin_told: Telling,
    pub(super) end: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) end_told: Telling,
    pub(super) states: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) marks: BTreeMap<String, Spanned<String>>,
    /// The smallest and largest value there can be, where that is known.
    pub(super) values: Option<[f64; 2]>,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    pub(super) description: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flag {
    #[serde(default)]
    pub(super) description: String,
    pub(super) version: u32,
    pub(super) holds: Spanned<Condition>,
    pub(super) expires_after: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Milestone {
    #[serde(default)]
    pub(super) description: String,
    pub(super) version: u32,
    pub(super) reached: Spanned<Condition>,
    /// The name under which it is published, where the outside knows another one.
    pub(super) published_as: Option<String>,
}

/// One key of the summary column.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Summary {
    Ever(String),
    Count(String),
    Last(String),
}

/// One condition: exactly one of its kinds, with what belongs to it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Condition {
    pub(super) count: Option<String>,
    pub(super) ever: Option<String>,
    pub(super) sum: Option<String>,
    pub(super) mean: Option<String>,
    pub(super) latest: Option<String>,
    pub(super) rises: Option<String>,
    pub(super) open: Option<String>,
    pub(super) closed: Option<String>,
    pub(super) quiet: Option<OneOrMore>,
    pub(super) missing: Option<String>,
    pub(super) all_of: Option<Vec<Spanned<Condition>>>,
    pub(super) any_of: Option<Vec<Spanned<Condition>>>,
    pub(super) not: Option<Box<Spanned<Condition>>>,
    // what belongs to a kind
    pub(super) at_least: Option<f64>,
    pub(super) at_most: Option<f64>,
    pub(super) above: Option<f64>,
    pub(super) below: Option<f64>,
    pub(super) within: Option<String>,
    #[serde(rename = "for")]
    pub(super) lasts: Option<String>,
    #[serde(rename = "for_more_than")]
    pub(super) lasts_longer: Option<String>,
    pub(super) during: Option<OneOrMore>,
    pub(super) when_ended_or_after: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

fn first_version() -> String {
    "v1".to_owned()
}

impl Condition {
    /// The names of the keys that are there, kinds first, for faults and for telling what belongs to what.
    pub(super) fn keys(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let kinds = [
            ("count", self.count.is_some()),
            ("ever", self.ever.is_some()),
            ("sum", self.sum.is_some()),
            ("mean", self.mean.is_some()),
            ("latest", self.latest.is_some()),
            ("rises", self.rises.is_some()),
            ("open", self.open.is_some()),
            ("closed", self.closed.is_some()),
            ("quiet", self.quiet.is_some()),
            ("missing", self.missing.is_some()),
            ("all_of", self.all_of.is_some()),
            ("any_of", self.any_of.is_some()),
            ("not", self.not.is_some()),
        ];
        let parts = [
            ("at_least", self.at_least.is_some()),
            ("at_most", self.at_most.is_some()),
            ("above", self.above.is_some()),
            ("below", self.below.is_some()),
            ("within", self.within.is_some()),
            ("for", self.lasts.is_some()),
            ("for_more_than", self.lasts_longer.is_some()),
            ("during", self.during.is_some()),
            ("when_ended_or_after", self.when_ended_or_after.is_some()),
        ];
        let there = |keys: &[(&'static str, bool)]| keys.iter().filter(|key| key.1).map(|key| key.0).collect();
        (there(&kinds), there(&parts))
    }
}
