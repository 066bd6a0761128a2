//! How the story is told: things have names, and moments are written as `02-03` (at ten) or `02-20 09:00`.

use milepost::derived_id::derived_id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::enveloped;

/// Everybody and everything that has an id of its own.
const NAMES: [&str; 60] = [
    // People and companies.
    "Ada",
    "Bo",
    "Cleo",
    "Dan",
    "Eve",
    "Fay",
    "Fjord",
    "Brook",
    // What companies offer.
    "Buddies",
    "Norsk",
    "Leaders",
    "Template",
    "Newcomers",
    "Welcome",
    "Winter",
    // The buddy programme.
    "Ada+Bo",
    "Cleo+Bo",
    "Cleo+Bo again",
    "Fay+Bo",
    "talk yesterday",
    "talk in February",
    "talk in April",
    "talk in June",
    "talk in October",
    "coffee",
    "museum",
    "fair",
    "knitting",
    "Ada's thanks",
    "Bo's thanks",
    "old files",
    // Sessions and what was said of them.
    "lesson 1",
    "lesson 2",
    "lesson 3",
    "talk on work",
    "Cleo's lesson",
    "lesson that never was",
    "rating 1",
    "rating 2",
    "rating 3",
    "rating 4",
    "rating 5",
    // Courses, scores.
    "Fay's course",
    "Cleo's course",
    "Fay's badge",
    "score 1",
    "score 2",
    "score 3",
    "score 4",
    "score 5",
    "score 6",
    "score 7",
    "score 8",
    // Care.
    "flag in May",
    "flag in November",
    "first look",
    "second look",
    "consent",
    "Ada's request",
    "Cleo's request",
];
/// Ids that are made from others, as the domain says.
const DERIVED: [(&str, &str, &[&str]); 4] = [
    ("Ada at the museum", "attended", &["museum", "Ada"]),
    ("Cleo at the museum", "attended", &["museum", "Cleo"]),
    ("Fay at the fair", "attended", &["fair", "Fay"]),
    ("call about knitting", "video_call", &["knitting"]),
];

/// The id of whoever or whatever has this name.
#[track_caller]
pub(super) fn id(name: &str) -> Uuid {
    assert!(NAMES.contains(&name), "nothing in this story is called {name}");
    derived_id(&format!("year:{name}"))
}

/// A moment of 2025; one of another year is written out.
pub(super) fn at(when: &str) -> String {
    match when.split_once(' ') {
        Some((day, time)) => format!("2025-{day}T{time}:00Z"),
        None if when.len() == 5 => format!("2025-{when}T10:00:00Z"),
        None => when.to_owned(),
    }
}

/// A row as the story would write it: names in the place of ids, and moments as above.
pub(super) fn readable(row: &str) -> String {
    let mut row = row.to_owned();
    for name in NAMES {
        row = row.replace(&id(name).to_string(), name);
    }
    for (name, kind, of) in DERIVED {
        let of: Vec<String> = of.iter().map(|name| id(name).to_string()).collect();
        row = row.replace(&derived_id(&format!("milepost:{kind}:{}", of.join(":"))).to_string(), name);
    }
    for (written, short) in [("T10:00:00Z", ""), (" 10:00:00+00", ""), (":00+00", ""), ("2025-", "")] {
        row = row.replace(written, short);
    }
    row
}

/// All that was told so far.
#[derive(Default)]
pub(super) struct Year {
    told: Vec<Value>,
    published: usize,
}

impl Year {
    /// Something is told when it happens; `time` is the field in which the data says when that was.
    pub(super) fn on<'y>(&'y mut self, when: &str, event_type: &'y str, time: &'y str) -> Telling<'y> {
        Telling { time: Some(time), ..self.told(when, event_type) }
    }

    /// Something is told at a moment; the data has another one, or none.
    pub(super) fn told<'y>(&'y mut self, when: &str, event_type: &'y str) -> Telling<'y> {
        Telling { year: self, when: at(when), event_type, time: None }
    }

    /// A publisher sends again what it has sent first of this type.
    pub(super) fn again(&mut self, event_type: &str) {
        let first = self.told.iter().find(|event| event["type"] == event_type).expect("it was told");
        self.told.push(first.clone());
    }

    /// A person as Fjord's directory knows them.
    pub(super) fn directory(&mut self, when: &str, name: &str, more: &Value) {
        let handle = name.to_lowercase();
        let mut data = json!({"sourceSystem": "workday", "sourceId": format!("w-{handle}"), "sourceTenantId": "fjord",
            "userId": id(name), "externalUserId": format!("w-{handle}"), "companyId": id("Fjord"),
            "email": format!("{handle}@fjord.example"), "firstName": name, "lastName": "Berg", "status": "active"});
        for (field, value) in more.as_object().expect("fields") {
            data[field] = value.clone();
        }
        self.on(when, "ingest.directory.synced", "lastUpdated").with(data);
    }

    /// What was told since it was last taken.
    pub(super) fn take(&mut self) -> Vec<Value> {
        let news = self.told[self.published..].to_vec();
        self.published = self.told.len();
        news
    }

    /// The types of everything that was told.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.told.iter().map(|event| event["type"].as_str().expect("a type"))
    }
}

/// An event that is about to be told.
pub(super) struct Telling<'y> {
    year: &'y mut Year,
    when: String,
    event_type: &'y str,
    time: Option<&'y str>,
}

impl Telling<'_> {
    /// Told, with this data.
    pub(super) fn with(self, mut data: Value) {
        if let Some(time) = self.time {
            data[time] = json!(self.when);
        }
        let id = derived_id(&format!("year:event {}", self.year.told.len()));
        self.year.told.push(enveloped(self.event_type, id, &self.when, data));
    }
}
