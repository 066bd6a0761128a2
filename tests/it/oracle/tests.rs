//! The judge is judged: each definition and each boundary of domain.md in a case of one line.

mod activity; // what counts as activity, and what is quiet
mod flags; // flags about matches and sessions
mod generated; // a whole log
mod milestones; // milestones and counters
mod reading; // envelopes, repetitions, what refers to nobody

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Expected, Instant, Oracle, days};
use crate::support::enveloped;

/// The smallest time there is.
const TICK: TimeDelta = TimeDelta::microseconds(1);

// People, all of whom a directory knows.
const PAT: Uuid = Uuid::from_u128(0xa); // a participant and learner
const BEA: Uuid = Uuid::from_u128(0xb); // a buddy, volunteer and teacher
const VAL: Uuid = Uuid::from_u128(0xc); // somebody else
// Matches.
const M1: Uuid = Uuid::from_u128(11);
const M2: Uuid = Uuid::from_u128(12);

/// A day of the story; it begins at day 0.
fn day(number: i64) -> Instant {
    "2026-01-01T00:00:00Z".parse::<Instant>().expect("a time") + days(number)
}

/// A story told event by event. Envelopes get later one by one; every entity gets an id of its own.
struct Story {
    events: Vec<Value>,
}

impl Story {
    fn new() -> Self {
        let mut story = Self { events: Vec::new() };
        for person in [PAT, BEA, VAL] {
            story.tell("ingest.directory.synced", json!({"userId": person}));
        }
        story
    }

    /// An id that nobody has yet.
    fn fresh(&self) -> Uuid {
        Uuid::from_u128(0x1000 + self.events.len() as u128)
    }

    fn tell(&mut self, event_type: &str, data: Value) -> &mut Self {
        let second = TimeDelta::seconds(i64::try_from(self.events.len()).expect("few"));
        let at = (day(-1000) + second).to_rfc3339();
        self.events.push(enveloped(event_type, self.fresh(), &at, data));
        self
    }

    fn matched(&mut self, matched: Uuid, at: Instant) -> &mut Self {
        let data = json!({"matchId": matched, "participantId": PAT, "buddyId": BEA, "matchedAt": at});
        self.tell("buddy.match.created", data)
    }

    fn ended(&mut self, matched: Uuid, at: Instant) -> &mut Self {
        let data = json!({"matchId": matched, "participantId": PAT, "buddyId": BEA, "endedAt": at, "duration": 1,
                          "reason": "other"});
        self.tell("buddy.match.ended", data)
    }

    fn checkin(&mut self, matched: Uuid, at: Instant) -> &mut Self {
        self.tell("buddy.checkin.completed", json!({"checkinId": self.fresh(), "matchId": matched, "checkinDate": at}))
    }

    fn logged(&mut self, matched: Uuid, at: Instant) -> &mut Self {
        let data = json!({"eventId": self.fresh(), "matchId": matched, "eventType": "walk", "eventDate": at});
        self.tell("buddy.event.logged", data)
    }

    fn attended(&mut self, person: Uuid, at: Instant) -> &mut Self {
        let data = json!({"eventId": self.fresh(), "userId": person, "eventTitle": "Lunch", "eventType": "social",
                          "eventFormat": "online", "attendedAt": at});
        self.tell("buddy.event.attended", data)
    }

    fn feedback(&mut self, matched: Uuid, role: &str, at: Instant) -> &mut Self {
        let data = json!({"feedbackId": self.fresh(), "matchId": matched, "fromRole": role, "rating": 1,
                          "submittedAt": at});
        self.tell("buddy.feedback.submitted", data)
    }

    fn skill_share(&mut self, at: Instant) -> &mut Self {
        let data = json!({"sessionId": self.fresh(), "skillId": 1, "skillName": "x", "teacherId": BEA,
                          "learnerId": PAT, "completedAt": at});
        self.tell("buddy.skill_share.completed", data)
    }

    fn scheduled(&mut self, session: Uuid, kind: &str, at: Instant) -> &mut Self {
        let data = json!({"sessionId": session, "sessionType": kind, "participantId": PAT, "volunteerId": BEA,
                          "scheduledAt": at});
        self.tell("kintell.session.scheduled", data)
    }

    /// A session scheduled and completed at the same time; gives its id.
    fn completed(&mut self, kind: &str, level: &str, at: Instant) -> Uuid {
        let session = self.fresh();
        let data = json!({"sessionId": session, "sessionType": kind, "participantId": PAT, "volunteerId": BEA,
                          "scheduledAt": at, "completedAt": at, "durationMinutes": 30, "languageLevel": level});
        self.tell("kintell.session.completed", data);
        session
    }

    fn rated(&mut self, session: Uuid, role: &str, rating: f64, at: Instant) -> &mut Self {
        let data = json!({"ratingId": self.fresh(), "sessionId": session, "fromRole": role, "rating": rating,
                          "createdAt": at});
        self.tell("kintell.rating.created", data)
    }

    fn progress(&mut self, course: &str, status: &str, at: Instant) -> &mut Self {
        let data = json!({"progressId": self.fresh(), "userId": PAT, "provider": "p", "courseId": course,
                          "courseName": "n", "progressPercent": 1, "status": status, "updatedAt": at});
        self.tell("upskilling.progress.updated", data)
    }

    fn course_completed(&mut self, course: &str, at: Instant) -> &mut Self {
        let data = json!({"progressId": self.fresh(), "userId": PAT, "provider": "p", "courseId": course,
                          "courseName": "n", "completedAt": at});
        self.tell("upskilling.course.completed", data)
    }

    fn credential(&mut self, at: Instant) -> &mut Self {
        let data = json!({"credentialId": self.fresh(), "userId": PAT, "provider": "p", "courseId": "c",
                          "courseName": "n", "credentialType": "badge", "issuedAt": at});
        self.tell("upskilling.credential.issued", data)
    }

    fn enrolment(&mut self, source_id: &str, program_type: &str, status: &str, at: Instant) -> &mut Self {
        let data = json!({"sourceSystem": "manual", "sourceId": source_id, "userId": PAT, "companyId": VAL,
                          "programType": program_type, "programId": "x", "programName": "x", "enrollmentDate": at,
                          "status": status});
        self.tell("ingest.enrollment.created", data)
    }

    fn volunteering(&mut self, source_id: &str, at: Instant) -> &mut Self {
        let data = json!({"sourceSystem": "manual", "sourceId": source_id, "userId": PAT, "activityDate": at});
        self.tell("ingest.volunteer.logged", data)
    }

    fn score(&mut self, dimension: &str, score: f64, at: Instant) -> &mut Self {
        let data = json!({"scoreId": self.fresh(), "textId": VAL, "textType": "checkin_note", "userId": PAT,
                          "dimension": dimension, "score": score, "scoredAt": at});
        self.tell("q2q.outcome.scored", data)
    }

    fn milestone(&mut self, number: i64, at: Instant) -> &mut Self {
        self.tell("buddy.milestone.reached", json!({"milestoneId": number, "userId": PAT, "reachedAt": at}))
    }

    fn expected(&self, now: Instant) -> Expected {
        Oracle::of(self.events.clone()).expected(now)
    }

    /// Since when and until when a flag is set, asked now.
    fn flag(&self, person: Uuid, flag: &str, now: Instant) -> Option<(Instant, Option<Instant>)> {
        let expected = self.expected(now);
        expected.flags.get(&(person, flag.to_owned())).map(|flag| (flag.set_at, flag.expires_at))
    }

    /// Since when a flag is set that does not expire, asked now.
    #[track_caller]
    fn since(&self, person: Uuid, flag: &str, now: Instant) -> Option<Instant> {
        let (set_at, expires_at) = self.flag(person, flag, now)?;
        assert_eq!(expires_at, None, "{flag} does not expire");
        Some(set_at)
    }

    fn reached(&self, person: Uuid, milestone: &str) -> Option<Instant> {
        self.expected(day(0)).milestones.get(&(person, milestone.to_owned())).copied()
    }

    fn counters(&self, person: Uuid) -> Value {
        self.expected(day(0)).counters.remove(&person).map_or(Value::Null, Value::Object)
    }
}
