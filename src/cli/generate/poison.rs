//! Broken lines, each breaking one rule of the door, with an id of its own.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use uuid::Uuid;

use super::chance::{Chance, Kind};
use super::sheet::{Pen, object};
use super::world::Micros;

const CHECKIN: &str = "buddy.checkin.completed";
const FEEDBACK: &str = "buddy.feedback.submitted";
const ATTENDED: &str = "buddy.event.attended";
const EXTERNAL: &str = "external.user.synced";

/// How many ways to be broken there are.
const KINDS: u32 = 14;

/// Deeper than the door's 64 together with the envelope.
const DEPTH: usize = 70;

/// Fields of a data object, each value being JSON, not necessarily valid.
type Fields = Vec<(&'static str, String)>;

/// The broken line of this number; the kinds of breakage take turns.
pub(super) fn line(chance: &Chance, number: u32, at: Micros) -> String {
    let mut rng = chance.rng(Kind::Poison, number);
    let sound = Sound { rng: &mut rng, at };
    match number % KINDS {
        0 => sound.line(FEEDBACK, |fields| set(fields, "rating", "1.5")),
        1 => sound.line(CHECKIN, |fields| {
            fields.retain(|(key, _)| *key != "matchId");
        }),
        2 => sound.line(CHECKIN, |fields| {
            let bare = field(fields, "matchId").replace('-', "");
            set(fields, "matchId", &bare);
        }),
        3 => sound.line(CHECKIN, |fields| {
            set(fields, "checkinDate", r#""2026-02-30T10:15:00Z""#);
        }),
        4 => sound.line(CHECKIN, |fields| set(fields, "mood", r#""meh""#)),
        5 => sound.line(ATTENDED, |fields| set(fields, "durationMinutes", "12.0")),
        6 => sound.line(ATTENDED, |fields| {
            set(fields, "eventTitle", &format!("\"{}\"", "very ".repeat(41)));
        }),
        7 => sound.truncated(),
        8 => sound.line(FEEDBACK, |fields| {
            fields.push(("rating", "0.31".to_owned()));
        }),
        9 => sound.line(CHECKIN, |fields| set(fields, "notes", r#""a\u0000b""#)),
        10 => sound.with_data(CHECKIN, |_| "[]".to_owned()),
        11 => sound.line(FEEDBACK, |fields| {
            fields.push(("confidence", "1e400".to_owned()));
        }),
        12 => sound.line(EXTERNAL, |fields| {
            let user = field(fields, "user").replace('@', " at ");
            set(fields, "user", &user);
        }),
        _ => sound.line(CHECKIN, |fields| {
            let deep = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
            fields.push(("questionResponses", deep));
        }),
    }
}

/// An event that would be sound if it were not about to be broken.
struct Sound<'a> {
    rng: &'a mut StdRng,
    at: Micros,
}

impl Sound<'_> {
    fn line(self, kind: &str, break_it: impl FnOnce(&mut Fields)) -> String {
        self.with_data(kind, |sound| {
            let mut fields = sound.fields(kind);
            break_it(&mut fields);
            object(&fields)
        })
    }

    fn with_data(mut self, kind: &str, data: impl FnOnce(&mut Self) -> String) -> String {
        let data = data(&mut self);
        let kind = format!("\"{kind}\"");
        let nested = self.rng.random_bool(0.7);
        let (id, time) = (self.id(), self.time());
        let version = "\"v1\"".to_owned();
        let identity = [("id", id), ("version", version), ("timestamp", time)];
        if nested {
            let metadata = object(&identity);
            object(&[("type", kind), ("metadata", metadata), ("data", data)])
        } else {
            let [id, version, timestamp] = identity;
            object(&[("type", kind), id, version, timestamp, ("data", data)])
        }
    }

    /// The end of the line got lost, never the type and the id.
    fn truncated(self) -> String {
        let kept = self.rng.random_range(95..160);
        let mut text = self.line(CHECKIN, |_| {});
        text.truncate(kept);
        text
    }

    fn fields(&mut self, kind: &str) -> Fields {
        match kind {
            CHECKIN => vec![
                ("checkinId", self.id()),
                ("matchId", self.id()),
                ("checkinDate", self.time()),
                ("mood", text("good")),
            ],
            FEEDBACK => vec![
                ("feedbackId", self.id()),
                ("matchId", self.id()),
                ("fromRole", text("participant")),
                ("rating", "0.75".to_owned()),
                ("submittedAt", self.time()),
            ],
            ATTENDED => vec![
                ("eventId", self.id()),
                ("userId", self.id()),
                ("eventTitle", text("Language evening")),
                ("eventType", text("language")),
                ("eventFormat", text("online")),
                ("attendedAt", self.time()),
                ("durationMinutes", "90".to_owned()),
            ],
            _ => vec![
                ("externalId", text("okta:00u1")),
                ("source", text("okta")),
                ("companyId", self.id()),
                ("action", text("created")),
                ("user", self.user()),
            ],
        }
    }

    fn user(&mut self) -> String {
        let number: u32 = self.rng.random();
        object(&[
            ("externalUserId", text(&format!("00u{number:08x}"))),
            ("email", text(&format!("nobody.{number}@company-0.example"))),
            ("firstName", text("No")),
            ("lastName", text("Body")),
        ])
    }

    fn id(&mut self) -> String {
        let random: [u8; 16] = self.rng.random();
        let id: Uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        PLAIN.id(id).to_string()
    }

    fn time(&self) -> String {
        PLAIN.time(self.at).to_string()
    }
}

const PLAIN: Pen = Pen { upper_case: false, offset: None };

fn text(value: &str) -> String {
    Value::from(value).to_string()
}

fn field(fields: &Fields, wanted: &str) -> String {
    fields.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn set(fields: &mut Fields, wanted: &'static str, value: &str) {
    fields.retain(|(key, _)| *key != wanted);
    fields.push((wanted, value.to_owned()));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Chance, KINDS, Value, line};

    #[test]
    fn every_kind_is_one_distinct_line_with_a_readable_type() {
        let chance = Chance::new(1);
        let lines: Vec<_> = (0..20 * KINDS).map(|number| line(&chance, number, 0)).collect();
        assert!(lines.iter().all(|line| line.starts_with(r#"{"type":""#) && !line.contains('\n')));
        let distinct: HashSet<_> = lines.iter().collect();
        assert_eq!(distinct.len(), lines.len());
    }

    #[test]
    fn some_kinds_are_no_json_and_the_others_break_the_contract() {
        let chance = Chance::new(1);
        // Truncated; a number beyond f64. (A key given twice and a deep array are JSON to this parser.)
        let unreadable: Vec<_> =
            (0..KINDS).filter(|number| serde_json::from_str::<Value>(&line(&chance, *number, 0)).is_err()).collect();
        assert_eq!(unreadable, [7, 11]);
    }
}
