//! Events as the platform's publishers send them, with everything that a test does not care about filled in.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// The nested envelope, the most common one on the wire.
pub(crate) fn enveloped(event_type: &str, id: Uuid, at: &str, data: Value) -> Value {
    json!({"type": event_type, "data": data, "metadata": {"id": id, "version": "v1", "timestamp": at}})
}

/// All types that there are contracts for.
pub(crate) fn event_types() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr/events");
    let files = std::fs::read_dir(folder).expect("the folder of contracts");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    names.filter_map(|name| name.strip_suffix(".schema.json").map(str::to_owned)).collect()
}

/// Makes events that happen one minute after the other, with ids counted up from a number of the test's.
pub(crate) struct Csr {
    now: DateTime<Utc>,
    next: u128,
    pub(crate) company: Uuid,
}

impl Csr {
    pub(crate) fn new() -> Self {
        let now = "2026-01-05T08:00:00Z".parse().expect("a time");
        Self { now, next: Uuid::new_v4().as_u128(), company: Uuid::new_v4() }
    }

    /// The same beginning once more: the same company and times.
    pub(crate) fn again(&self) -> Self {
        Self { now: self.now, next: self.next, company: self.company }
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.next = self.next.wrapping_add(1);
        Uuid::from_u128(self.next)
    }

    /// The time of the next event.
    pub(crate) fn tick(&mut self) -> String {
        self.now += Duration::minutes(1);
        self.now.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// An event of any type with this data.
    pub(crate) fn event(&mut self, event_type: &str, data: Value) -> Value {
        let (id, at) = (self.id(), self.tick());
        enveloped(event_type, id, &at, data)
    }

    /// A person with a CSR id, as a directory tells it.
    pub(crate) fn person(&mut self, user_id: Uuid) -> Value {
        let name = user_id.simple().to_string();
        let updated = self.tick();
        let company = self.company;
        self.event(
            "ingest.directory.synced",
            json!({"sourceSystem": "workday", "sourceId": "s", "sourceTenantId": "t", "userId": user_id,
                   "externalUserId": format!("w-{name}"), "companyId": company, "email": format!("{name}@example.org"),
                   "firstName": "Ada", "lastName": "Byron", "status": "active", "lastUpdated": updated}),
        )
    }

    /// So many people whose ids do not matter.
    pub(crate) fn people(&mut self, count: usize) -> Vec<Value> {
        let one = |_| {
            let user_id = self.id();
            self.person(user_id)
        };
        (0..count).map(one).collect()
    }

    pub(crate) fn matched(&mut self, match_id: Uuid, participant: Uuid, buddy: Uuid) -> Value {
        let at = self.tick();
        let data = json!({"matchId": match_id, "participantId": participant, "buddyId": buddy, "matchedAt": at});
        self.event("buddy.match.created", data)
    }

    pub(crate) fn ended(&mut self, match_id: Uuid, participant: Uuid, buddy: Uuid, reason: &str) -> Value {
        let at = self.tick();
        let data = json!({"matchId": match_id, "participantId": participant, "buddyId": buddy, "endedAt": at,
                          "duration": 30, "reason": reason});
        self.event("buddy.match.ended", data)
    }

    pub(crate) fn checkin(&mut self, match_id: Uuid) -> Value {
        let (checkin, at) = (self.id(), self.tick());
        let data = json!({"checkinId": checkin, "matchId": match_id, "checkinDate": at, "mood": "good"});
        self.event("buddy.checkin.completed", data)
    }

    /// A language session to come; the two people are participant and volunteer.
    pub(crate) fn scheduled(&mut self, session: Uuid, [participant, volunteer]: [Uuid; 2]) -> Value {
        let at = self.tick();
        let data = json!({"sessionId": session, "sessionType": "language", "participantId": participant,
                          "volunteerId": volunteer, "scheduledAt": at});
        self.event("kintell.session.scheduled", data)
    }

    /// A language session that has taken place.
    pub(crate) fn completed(&mut self, session: Uuid, people: [Uuid; 2]) -> Value {
        let mut event = self.scheduled(session, people);
        let at = self.tick();
        event["type"] = json!("kintell.session.completed");
        (event["data"]["completedAt"], event["data"]["durationMinutes"]) = (json!(at), json!(60));
        event
    }

    pub(crate) fn rated(&mut self, session: Uuid, from_role: &str, rating: f64) -> Value {
        let (id, at) = (self.id(), self.tick());
        let data = json!({"ratingId": id, "sessionId": session, "fromRole": from_role, "rating": rating,
                          "createdAt": at});
        self.event("kintell.rating.created", data)
    }

    pub(crate) fn logged(&mut self, match_id: Uuid) -> Value {
        let (event, at) = (self.id(), self.tick());
        let data = json!({"eventId": event, "matchId": match_id, "eventType": "hangout", "eventDate": at});
        self.event("buddy.event.logged", data)
    }
}
