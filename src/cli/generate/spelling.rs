//! How an event is spelled: its envelope, and the same event in another one.

use chrono::FixedOffset;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::chance::{Kind, one_of};
use super::payload;
use super::sheet::{Pen, Sheet, object};
use super::world::{Event, World};

#[derive(Clone, Copy, PartialEq)]
enum Envelope {
    Nested,
    Flat,
    CloudEvents,
}

struct Spelling {
    envelope: Envelope,
    pen: Pen,
    nulls: bool,
    /// Keys in another order than the publisher's own.
    shuffle: Option<StdRng>,
}

/// Members of an envelope, each value being JSON already.
type Members = Vec<(&'static str, String)>;

/// The event as its publisher wrote it, in one line.
pub(super) fn usual(world: &World, event: &Event) -> String {
    let mut rng = world.chance.rng(Kind::Event, event.number);
    let spelling = Spelling::usual(&mut rng);
    write(world, event, spelling, rng)
}

/// The same event as another publisher would write it; `number` chooses how.
pub(super) fn another(world: &World, event: &Event, number: u32) -> String {
    let mut rng = world.chance.rng(Kind::Event, event.number);
    let usual = Spelling::usual(&mut rng);
    let spelling = usual.another(world.chance.rng(Kind::Respelling, number));
    write(world, event, spelling, rng)
}

impl Spelling {
    fn usual(rng: &mut StdRng) -> Self {
        let envelope = match rng.random_range(0..10) {
            0..6 => Envelope::Nested,
            6..9 => Envelope::Flat,
            _ => Envelope::CloudEvents,
        };
        let with_offset = rng.random_bool(0.08);
        let upper_case = rng.random_bool(0.03);
        let offset = with_offset.then(|| any_offset(rng));
        Self { envelope, pen: Pen { upper_case, offset }, nulls: rng.random_bool(0.15), shuffle: None }
    }

    /// Always another envelope or another case of ids, often more than one difference.
    fn another(self, mut rng: StdRng) -> Self {
        let envelope = one_of(&mut rng, &[Envelope::Nested, Envelope::Flat, Envelope::CloudEvents]);
        let same_envelope = envelope == self.envelope;
        let upper_case = self.pen.upper_case != (same_envelope || rng.random_bool(0.3));
        let offset = if rng.random_bool(0.5) { Some(any_offset(&mut rng)) } else { self.pen.offset };
        let nulls = self.nulls != rng.random_bool(0.4);
        let shuffle = rng.random_bool(0.5).then_some(rng);
        Self { envelope, pen: Pen { upper_case, offset }, nulls, shuffle }
    }
}

fn any_offset(rng: &mut StdRng) -> FixedOffset {
    let minutes = one_of(rng, &[0, 0, 60, 120, 330, -300]);
    FixedOffset::east_opt(minutes * 60).expect("less than a day")
}

fn write(world: &World, event: &Event, spelling: Spelling, mut rng: StdRng) -> String {
    let Spelling { envelope, pen, nulls, mut shuffle } = spelling;
    let kind = payload::kind(event.what);
    let contents = world.chance.rng(Kind::Contents, event.contents);
    let id = pen.id(world.chance.id(Kind::Event, event.number)).to_string();
    let trace = Trace::of(world, event, pen, &mut rng, nulls);
    let mut sheet = Sheet::new(pen, contents, event.told_at(), nulls);
    payload::fill(world, event, &mut sheet);
    sheet.put_extras();
    let data = sheet.into_text(shuffle.as_mut());
    let time = pen.time(event.at).to_string();
    let kind = format!("\"{kind}\"");
    let mut members = match envelope {
        Envelope::Nested => nested(kind, id, time, data, trace, shuffle.as_mut()),
        Envelope::Flat => flat(kind, id, time, data, trace),
        Envelope::CloudEvents => cloud_event(kind, id, time, data, trace),
    };
    if let Some(rng) = &mut shuffle {
        members.shuffle(rng);
    }
    object(&members)
}

/// What an envelope carries beside the event.
struct Trace {
    version: Option<&'static str>,
    correlation: Option<String>,
    causation: Option<String>,
    metadata: Option<String>,
    /// A key that no contract names.
    producer: Option<&'static str>,
}

impl Trace {
    fn of(world: &World, event: &Event, pen: Pen, rng: &mut StdRng, nulls: bool) -> Self {
        let mut related = |share: f64| {
            let number = rng.random();
            if rng.random_bool(share) {
                Some(pen.id(world.chance.id(Kind::Trace, number)).to_string())
            } else {
                nulls.then(|| Value::Null.to_string())
            }
        };
        let (correlation, causation) = (related(0.3), related(0.08));
        let attempt = rng.random_range(1..4);
        let metadata = json!({"service": service(event), "attempt": attempt});
        Self {
            version: (!rng.random_bool(0.05)).then_some("\"v1\""),
            correlation,
            causation,
            metadata: rng.random_bool(0.25).then(|| metadata.to_string()),
            producer: rng.random_bool(0.05).then_some("\"csr-platform/2.18\""),
        }
    }
}

fn service(event: &Event) -> &'static str {
    let kind = payload::kind(event.what);
    match kind.split('.').next() {
        Some("buddy") => "buddy-service",
        Some("kintell" | "upskilling") => "learning-connector",
        Some("q2q") => "text-scoring",
        _ => "identity-service",
    }
}

fn add(members: &mut Members, key: &'static str, value: Option<impl Into<String>>) {
    if let Some(value) = value {
        members.push((key, value.into()));
    }
}

fn flat(kind: String, id: String, time: String, data: String, trace: Trace) -> Members {
    let mut members = vec![("id", id)];
    add(&mut members, "version", trace.version);
    members.push(("timestamp", time));
    add(&mut members, "correlationId", trace.correlation);
    add(&mut members, "causationId", trace.causation);
    add(&mut members, "metadata", trace.metadata);
    add(&mut members, "producer", trace.producer);
    members.push(("type", kind));
    members.push(("data", data));
    members
}

fn nested(kind: String, id: String, time: String, data: String, trace: Trace, shuffle: Option<&mut StdRng>) -> Members {
    let mut inner = vec![("id", id)];
    add(&mut inner, "version", trace.version);
    inner.push(("timestamp", time));
    add(&mut inner, "correlationId", trace.correlation);
    add(&mut inner, "causationId", trace.causation);
    add(&mut inner, "metadata", trace.metadata);
    add(&mut inner, "producer", trace.producer);
    if let Some(rng) = shuffle {
        inner.shuffle(rng);
    }
    vec![("type", kind), ("data", data), ("metadata", object(&inner))]
}

fn cloud_event(kind: String, id: String, time: String, data: String, trace: Trace) -> Members {
    let mut members = vec![
        ("specversion", "\"1.0\"".to_owned()),
        ("id", id),
        ("source", "\"/csr/platform\"".to_owned()),
        ("type", kind),
        ("time", time),
        ("datacontenttype", "\"application/json\"".to_owned()),
    ];
    add(&mut members, "dataversion", trace.version);
    add(&mut members, "correlationid", trace.correlation);
    add(&mut members, "causationid", trace.causation);
    add(&mut members, "producer", trace.producer);
    members.push(("data", data));
    members
}
