//! Events about people whose times a test gives, around now.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::oracle::Oracle;
use crate::support::{Csr, World};

pub(super) type Instant = DateTime<Utc>;

/// The fields by which data says when something happened.
const TIMES: [&str; 11] = [
    "matchedAt",
    "endedAt",
    "eventDate",
    "checkinDate",
    "submittedAt",
    "scheduledAt",
    "completedAt",
    "createdAt",
    "updatedAt",
    "scoredAt",
    "enrollmentDate",
];

/// The present, as exact as Postgres keeps it, so that times made from it compare.
pub(super) fn now() -> Instant {
    DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).expect("a time")
}

/// So many days before now; negative ones are to come.
pub(super) fn ago(days: f64) -> Instant {
    now() - TimeDelta::microseconds((days * 86_400_000_000.0) as i64)
}

/// The event, as one that happened then. Its envelope stays as it is.
pub(super) fn at(mut event: Value, moment: Instant) -> Value {
    for field in TIMES {
        if event["data"].get(field).is_some() {
            event["data"][field] = json!(moment.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }
    event
}

/// A story about two people: a participant and a buddy, who are there from the beginning, and one match.
pub(super) struct Life {
    pub(super) csr: Csr,
    pub(super) ada: Uuid,
    pub(super) bob: Uuid,
    pub(super) matched: Uuid,
    told: Vec<Value>,
    published: usize,
}

impl Life {
    pub(super) fn new() -> Self {
        let mut csr = Csr::new();
        let (ada, bob, matched) = (csr.id(), csr.id(), csr.id());
        let told = vec![csr.person(ada), csr.person(bob)];
        Self { csr, ada, bob, matched, told, published: 0 }
    }

    /// Tells an event that the function makes.
    pub(super) fn tell(&mut self, event: impl FnOnce(&mut Self) -> Value) -> &mut Self {
        let event = event(self);
        self.told.push(event);
        self
    }

    pub(super) fn matched(&mut self, moment: Instant) -> &mut Self {
        self.tell(|life| at(life.csr.matched(life.matched, life.ada, life.bob), moment))
    }

    pub(super) fn ended(&mut self, moment: Instant) -> &mut Self {
        self.tell(|life| at(life.csr.ended(life.matched, life.ada, life.bob, "completed"), moment))
    }

    pub(super) fn checkin(&mut self, moment: Instant) -> &mut Self {
        self.tell(|life| at(life.csr.checkin(life.matched), moment))
    }

    pub(super) fn logged(&mut self, moment: Instant) -> &mut Self {
        self.tell(|life| at(life.csr.logged(life.matched), moment))
    }

    /// Feedback of one side, `participant` or `buddy`.
    pub(super) fn feedback(&mut self, role: &str, moment: Instant) -> &mut Self {
        self.tell(|life| {
            let data = json!({"feedbackId": life.csr.id(), "matchId": life.matched, "fromRole": role, "rating": 0.9,
                              "submittedAt": ""});
            at(life.csr.event("buddy.feedback.submitted", data), moment)
        })
    }

    /// A language session of theirs; gives its id.
    pub(super) fn session(&mut self, moment: Instant) -> Uuid {
        let session = self.csr.id();
        self.tell(|life| at(life.csr.completed(session, [life.ada, life.bob]), moment));
        session
    }

    pub(super) fn rated(&mut self, session: Uuid, rating: f64, moment: Instant) -> &mut Self {
        self.tell(|life| at(life.csr.rated(session, "volunteer", rating), moment))
    }

    /// A language score of the participant.
    pub(super) fn score(&mut self, score: f64, moment: Instant) -> &mut Self {
        self.tell(|life| {
            let data = json!({"scoreId": life.csr.id(), "textId": life.csr.id(), "textType": "checkin_note",
                              "userId": life.ada, "dimension": "lang_level_proxy", "score": score, "scoredAt": ""});
            at(life.csr.event("q2q.outcome.scored", data), moment)
        })
    }

    /// Where the participant stands in a course.
    pub(super) fn course(&mut self, status: &str, moment: Instant) -> &mut Self {
        self.tell(|life| {
            let data = json!({"progressId": life.csr.id(), "userId": life.ada, "provider": "p", "courseId": "c",
                              "courseName": "n", "progressPercent": 1, "status": status, "updatedAt": ""});
            at(life.csr.event("upskilling.progress.updated", data), moment)
        })
    }

    /// What was told since it was last taken, and is now.
    pub(super) fn take(&mut self) -> Vec<Value> {
        let news = self.told[self.published..].to_vec();
        self.published = self.told.len();
        news
    }

    /// Everything that was told.
    pub(super) fn told(&self) -> &[Value] {
        &self.told
    }

    /// Publishes what was told since, and projects it.
    pub(super) async fn live(&mut self, world: &World) {
        world.publish_events(&self.take()).await;
        world.drain(&[]);
    }

    /// As [`Self::live`]; then the tables must say what the judge says.
    pub(super) async fn judged(&mut self, world: &World) {
        self.live(world).await;
        self.judge(world).await;
    }

    /// The tables must say now what the judge says of everything that was told.
    pub(super) async fn judge(&self, world: &World) {
        Oracle::of(self.told[..self.published].to_vec()).expected(Utc::now()).compare(world).await;
    }
}

/// Since when and until when somebody has a flag.
pub(super) async fn flag(world: &World, person: Uuid, flag: &str) -> Option<(Instant, Option<Instant>)> {
    let sql = format!("select set_at, expires_at from journey_flags where user_id = '{person}' and flag = '{flag}'");
    let rows = world.rows(&sql).await;
    let time = |value: &Value| value.as_str().map(|text| text.parse().expect("a time"));
    rows.first().map(|row| (time(&row["set_at"]).expect("set_at"), time(&row["expires_at"])))
}

/// When somebody reached a milestone.
pub(super) async fn reached(world: &World, person: Uuid, milestone: &str) -> Option<Instant> {
    let sql =
        format!("select reached_at from journey_milestones where user_id = '{person}' and milestone = '{milestone}'");
    let rows = world.rows(&sql).await;
    rows.first().map(|row| row["reached_at"].as_str().expect("a time").parse().expect("a time"))
}
