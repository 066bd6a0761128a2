//! One person's life, with a word in it that must not be left.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{CANARY, erased, subject};
use crate::support::Csr;

pub(super) const EMAIL: &str = "canary@example.org";
const SECOND_EMAIL: &str = "canary.second@example.org";

/// Ada, who is erased, and Bo, who did things with her.
pub(super) struct Life {
    pub(super) ada: Uuid,
    pub(super) bo: Uuid,
    pub(super) matched: Uuid,
    pub(super) session: Uuid,
    pub(super) share: Uuid,
    pub(super) flag: Uuid,
    pub(super) checkin: Uuid,
    pub(super) events: Vec<Value>,
}

/// A snapshot of a directory; the CSR id where it is known there.
pub(super) fn directory(csr: &mut Csr, system: &str, external_id: &str, email: &str, user_id: Option<Uuid>) -> Value {
    let (company, at) = (csr.company, csr.tick());
    csr.event(
        "ingest.directory.synced",
        json!({"sourceSystem": system, "sourceId": "s", "sourceTenantId": "t", "userId": user_id,
               "externalUserId": external_id, "companyId": company, "email": email, "firstName": "Canary",
               "lastName": "Canarysson", "displayName": "Dr. Canary", "status": "active", "lastUpdated": at}),
    )
}

/// A snapshot of a provider that knows no CSR ids.
pub(super) fn external(csr: &mut Csr, source: &str, external_id: &str, email: &str) -> Value {
    let company = csr.company;
    csr.event(
        "external.user.synced",
        json!({"externalId": external_id, "source": source, "companyId": company, "action": "updated",
               "user": {"externalUserId": external_id, "email": email, "firstName": "Canary",
                        "lastName": "Canarysson", "jobTitle": "Keeper of a canary"}}),
    )
}

pub(super) fn with(mut event: Value, more: Value) -> Value {
    event["data"].as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    event
}

pub(super) fn flagged(csr: &mut Csr, flag: Uuid, content: Uuid) -> Value {
    let at = csr.tick();
    let data = json!({"flagId": flag, "contentId": content, "contentType": "checkin_note", "flagReason": "other",
        "confidence": 0.5, "requiresHumanReview": true, "raisedAt": at});
    csr.event("safety.flag.raised", data)
}

pub(super) fn reviewed(csr: &mut Csr, flag: Uuid, reviewer: Uuid) -> Value {
    let (review, at) = (csr.id(), csr.tick());
    let data = json!({"reviewId": review, "flagId": flag, "reviewerId": reviewer, "decision": "approved",
        "notes": CANARY, "completedAt": at});
    csr.event("safety.review.completed", data)
}

pub(super) fn shared(csr: &mut Csr, session: Uuid, teacher: Uuid, learner: Uuid) -> Value {
    let at = csr.tick();
    let data = json!({"sessionId": session, "skillId": 7, "skillName": "Knitting", "teacherId": teacher,
        "learnerId": learner, "completedAt": at, "durationMinutes": 45,
        "feedback": {"teacherRating": 0.8, "teacherComment": CANARY, "learnerComment": CANARY}});
    csr.event("buddy.skill_share.completed", data)
}

impl Life {
    pub(super) fn new(csr: &mut Csr) -> Self {
        let [ada, bo, matched, session, share, flag] = [0; 6].map(|_| csr.id());
        let said = csr.checkin(matched);
        let checkin = said["data"]["checkinId"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let mut life = Self { ada, bo, matched, session, share, flag, checkin, events: Vec::new() };
        life.events = vec![
            directory(csr, "adp", "a-1", EMAIL, Some(ada)),
            external(csr, "okta", "canary-1", EMAIL),
            external(csr, "okta", "canary-1", SECOND_EMAIL),
            csr.person(bo),
            csr.matched(matched, bo, ada),
            with(said, json!({"notes": CANARY, "questionResponses": {"who?": "Canary"}})),
            flagged(csr, flag, checkin),
            reviewed(csr, flag, bo),
            with(csr.logged(matched), json!({"description": "Coffee with Canary", "location": "Canary Wharf"})),
            with(csr.scheduled(session, [bo, ada]), json!({"externalSessionId": "k-1"})),
            csr.completed(session, [bo, ada]),
            with(csr.rated(session, "participant", 0.8), json!({"feedbackText": CANARY})),
            shared(csr, share, ada, bo),
        ];
        life.more(csr);
        life
    }

    /// What she did alone, and what is said of the match.
    fn more(&mut self, csr: &mut Csr) {
        let (ada, company) = (self.ada, csr.company);
        let mut tell = |event_type: &str, times: &[&str], data: Value| {
            let (mut data, at) = (data, csr.tick());
            for name in times {
                data[*name] = json!(at);
            }
            self.events.push(csr.event(event_type, data));
        };
        let [feedback, attended, credential, score, consent, request] = [1, 2, 3, 4, 5, 6].map(Uuid::from_u128);
        let said = json!({"feedbackId": feedback, "matchId": self.matched, "fromRole": "participant", "rating": 0.9,
            "feedbackText": CANARY});
        tell("buddy.feedback.submitted", &["submittedAt"], said);
        let went = json!({"eventId": attended, "userId": ada, "eventTitle": "Feast of the canary", "eventType": "cultural",
            "location": "Canary Row", "eventFormat": "in-person"});
        tell("buddy.event.attended", &["attendedAt"], went);
        let earned = json!({"credentialId": credential, "userId": ada, "provider": "p", "courseId": "c",
            "courseName": "C", "credentialType": "badge", "credentialUrl": "https://example.org/canary",
            "verificationCode": CANARY});
        tell("upskilling.credential.issued", &["issuedAt"], earned);
        let scored = json!({"scoreId": score, "textId": self.checkin, "textType": "checkin_note", "userId": ada,
            "dimension": "belonging", "score": 0.5,
            "snippets": [{"snippetText": "felt at home", "snippetHash": "a".repeat(64)}]});
        tell("q2q.outcome.scored", &["scoredAt"], scored);
        let agreed = json!({"consentId": consent, "userId": ada, "consentType": "research", "status": "granted"});
        tell("privacy.consent.changed", &["changedAt"], agreed);
        let asked = json!({"requestId": request, "userId": ada, "requestType": "deletion"});
        tell("privacy.request.opened", &["openedAt"], asked);
        let helped = json!({"sourceSystem": "benevity", "sourceId": "v-1", "sourceTenantId": "t", "userId": ada,
            "externalUserId": "a-1", "companyId": company, "activityName": "n", "activityType": "other",
            "hoursLogged": 2});
        tell("ingest.volunteer.logged", &["activityDate"], helped);
        let enrolled = json!({"sourceSystem": "manual", "sourceId": "e-1", "userId": ada, "companyId": company,
            "programType": "language_course", "programId": "p", "programName": "P", "status": "enrolled"});
        tell("ingest.enrollment.created", &["enrollmentDate"], enrolled);
    }

    pub(super) fn erased(&self, csr: &mut Csr) -> Value {
        erased(csr, self.ada, &["adp a-1", "okta canary-1"], &[EMAIL, SECOND_EMAIL])
    }

    /// Whose keys are destroyed with her.
    pub(super) fn subjects(&self) -> Vec<Uuid> {
        let named = [
            ("match", self.matched),
            ("session", self.session),
            ("session", self.share),
            ("flag", self.flag),
            ("person", self.ada),
        ];
        let emails = [EMAIL, SECOND_EMAIL].map(|email| subject("email", email));
        named.iter().map(|(kind, id)| subject(kind, &id.to_string())).chain(emails).collect()
    }
}
