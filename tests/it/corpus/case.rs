//! One planted message with the fate that it must have, and the ways of making one.

use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

use crate::support::{Csr, World};

/// How a message must end.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// A dead letter with this reason and field.
    Dead(&'static str, Option<&'static str>),
    Applied,
    Waiting,
    Unrouted,
    Own,
}

/// A message and its fate.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fate: Fate,
    pub(crate) event_id: Option<Uuid>,
}

impl Case {
    pub(crate) fn applied(name: &str, event: &Value) -> Self {
        Self::of(name, event, event.to_string().into_bytes(), Fate::Applied)
    }

    fn of(name: &str, event: &Value, bytes: Vec<u8>, fate: Fate) -> Self {
        let id = ["/id", "/metadata/id"].into_iter().find_map(|at| event.pointer(at)?.as_str()?.parse().ok());
        let subject = event["type"].as_str().unwrap_or("buddy.checkin.completed").to_owned();
        Self { name: name.to_owned(), subject, bytes, fate, event_id: id }
    }

    pub(crate) fn message(&self) -> (String, Vec<u8>) {
        (self.subject.clone(), self.bytes.clone())
    }
}

/// All cases, and the healthy events that they refer to.
pub(crate) struct Corpus {
    csr: Csr,
    pub(crate) match_id: Uuid,
    pub(crate) people: [Uuid; 2],
    pub(crate) foundations: Vec<Case>,
    pub(crate) cases: Vec<Case>,
}

impl Corpus {
    pub(crate) fn new() -> Self {
        let mut csr = Csr::new();
        let (match_id, people) = (csr.id(), [csr.id(), csr.id()]);
        let foundations = [csr.person(people[0]), csr.person(people[1]), csr.matched(match_id, people[0], people[1])];
        let foundations = foundations.iter().map(|event| Case::applied("a foundation", event)).collect();
        Self { csr, match_id, people, foundations, cases: Vec::new() }
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.csr.id()
    }

    /// A check-in that would be applied, with personal text in it.
    pub(crate) fn checkin(&mut self) -> Value {
        let mut event = self.csr.checkin(self.match_id);
        event["data"]["notes"] = json!("SECRET");
        event["data"]["questionResponses"] = json!({"x": "@"});
        event
    }

    /// Any event with this data.
    pub(crate) fn of_type(&mut self, event_type: &str, data: Value) -> Value {
        self.csr.event(event_type, data)
    }

    /// These very bytes, on the subject of check-ins.
    pub(crate) fn raw(&mut self, name: &str, bytes: impl AsRef<[u8]>, fate: Fate) {
        let subject = "buddy.checkin.completed".to_owned();
        self.cases.push(Case { name: name.to_owned(), subject, bytes: bytes.as_ref().to_vec(), fate, event_id: None });
    }

    /// An event as it stands.
    pub(crate) fn event(&mut self, name: &str, event: &Value, fate: Fate) {
        self.cases.push(Case::of(name, event, event.to_string().into_bytes(), fate));
    }

    /// A check-in in which something was changed.
    pub(crate) fn changed(&mut self, name: &str, change: impl FnOnce(&mut Value), fate: Fate) {
        let mut event = self.checkin();
        change(&mut event);
        self.event(name, &event, fate);
    }

    /// A check-in whose text was changed, by hand.
    pub(crate) fn retyped(&mut self, name: &str, change: impl FnOnce(String) -> Vec<u8>, fate: Fate) {
        let event = self.checkin();
        let case = Case::of(name, &event, change(event.to_string()), fate);
        self.cases.push(case);
    }

    /// A check-in with this literal, as it is written here, at `/data/questionResponses/x`.
    pub(crate) fn literal(&mut self, literal: impl AsRef<[u8]>, fate: Fate) {
        let shown: String = String::from_utf8_lossy(literal.as_ref()).chars().take(40).collect();
        let literal = literal.as_ref().to_vec();
        self.retyped(&shown, |text| replace(&text, "\"@\"", &literal), fate);
    }
}

/// Puts bytes, which need not be text, in the place of a text.
pub(crate) fn replace(text: &str, from: &str, to: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once(from).expect("it stands there");
    [before.as_bytes(), to, after.as_bytes()].concat()
}

/// What became of each message, in words, where it is not what it should be.
pub(crate) async fn surprises(world: &World, published: &[&Case]) -> String {
    let mut postgres = world.postgres().await;
    let mut surprises = String::new();
    for case in published {
        let dead = sqlx::query("select reason, field, count from dead_letters where subject = $1 and payload = $2")
            .bind(&case.subject)
            .bind(&case.bytes)
            .fetch_optional(&mut postgres)
            .await
            .expect("a look at the dead letters")
            .map(|row| (row.get::<String, _>(0), row.get::<Option<String>, _>(1), row.get::<i64, _>(2)));
        let stored: Option<String> = sqlx::query_scalar(
            "select case when processed_at is not null then 'applied'
                 when exists (select from waiting_events as w where w.event_id = log.event_id) then 'waiting'
                 else 'unprojected' end
             from event_log as log where event_id = $1",
        )
        .bind(case.event_id)
        .fetch_optional(&mut postgres)
        .await
        .expect("a look at the event store");
        let expected = match &case.fate {
            Fate::Dead(reason, field) => (Some(((*reason).to_owned(), field.map(str::to_owned), 1)), None),
            Fate::Applied => (None, Some("applied")),
            Fate::Waiting => (None, Some("waiting")),
            Fate::Unrouted | Fate::Own => (None, Some("unprojected")),
        };
        if (&dead, stored.as_deref()) != (&expected.0, expected.1) {
            surprises += &format!("\n{:?}: is {dead:?} {stored:?}, should be {:?}", case.name, case.fate);
        }
    }
    surprises
}
