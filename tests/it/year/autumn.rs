//! July to December.

use serde_json::{Value, json};

use super::story::{Year, at, id};

/// A quiet month: Bo has another e-mail, and Ada asks what is known of her.
pub(super) fn july(year: &mut Year) {
    year.directory("07-01", "Bo", &json!({"email": "bo.berg@fjord.example"}));
    year.on("07-10", "privacy.consent.changed", "changedAt").with(json!({
        "consentId": id("consent"), "userId": id("Ada"), "consentType": "analytics", "status": "revoked"}));
    let asked = json!({"requestId": id("Ada's request"), "userId": id("Ada"), "requestType": "access"});
    year.on("07-11", "privacy.request.opened", "openedAt").with(asked.clone());
    year.on("07-20", "privacy.request.completed", "completedAt").with(asked);
}

/// Ada gets an internship. Cleo and Bo lose touch.
pub(super) fn august(year: &mut Year) {
    year.told("08-05", "ingest.placement.created").with(placement("p-1", "Ada", "internship", "08-05", "active"));
    year.on("08-20", "buddy.match.ended", "endedAt").with(json!({
        "matchId": id("Cleo+Bo"), "participantId": id("Cleo"), "buddyId": id("Bo"), "duration": 189,
        "reason": "inactivity"}));
    year.told("08-29", "reporting.citation.edited").with(json!({"companyId": id("Fjord"), "changes": [1]}));
}

/// Ada's third lesson. Dan leaves.
pub(super) fn september(year: &mut Year) {
    year.on("09-02", "kintell.session.completed", "completedAt").with(json!({
        "sessionId": id("lesson 3"), "sessionType": "language", "participantId": id("Ada"), "volunteerId": id("Dan"),
        "scheduledAt": at("09-02 09:00"), "durationMinutes": 60, "languageLevel": "B1", "programId": id("Norsk")}));
    year.on("09-03", "kintell.rating.created", "createdAt").with(json!({
        "ratingId": id("rating 4"), "sessionId": id("lesson 3"), "fromRole": "volunteer", "rating": 0.8,
        "feedbackText": "Good pace"}));
    year.on("09-10", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 6"), "textId": id("rating 4"), "textType": "kintell_feedback", "userId": id("Ada"),
        "dimension": "lang_level_proxy", "score": 0.65}));
    year.directory("09-30", "Dan", &json!({"status": "terminated"}));
}

/// Dan turns up at Brook, of which nothing else is known. Fay, who has learnt so much, wants a buddy too; a campaign pays.
pub(super) fn october(year: &mut Year) {
    year.told("10-01", "external.user.synced").with(json!({
        "externalId": "sign-on 2", "source": "azure_ad", "companyId": id("Brook"), "action": "created",
        "user": {"externalUserId": "a-dan", "email": "dan@fjord.example", "firstName": "Dan", "lastName": "Berg"}}));
    year.on("10-02", "program.campaign.synced", "syncedAt").with(json!({
        "campaignId": id("Winter"), "campaignKey": "winter", "programId": id("Buddies"), "companyId": id("Fjord"),
        "name": "Winter", "status": "active", "startDate": "2025-12-01", "endDate": "2026-01-30",
        "budgetAllocated": 6_100, "budgetSpent": 6_100}));
    year.on("10-08", "buddy.match.created", "matchedAt").with(json!({
        "matchId": id("Fay+Bo"), "participantId": id("Fay"), "buddyId": id("Bo"), "campaignId": id("Winter")}));
    year.on("10-09", "buddy.checkin.completed", "checkinDate").with(json!({
        "checkinId": id("talk in October"), "matchId": id("Fay+Bo"), "mood": "great"}));
    year.told("10-20", "ingest.placement.created").with(placement("p-2", "Fay", "internship", "10-20", "active"));
}

/// Dan still teaches, but for Brook. Cleo's course is over. Others tell of journeys too, and nobody has looked at the
/// second flag.
pub(super) fn november(year: &mut Year) {
    year.on("11-05", "kintell.session.completed", "completedAt").with(json!({
        "sessionId": id("Cleo's lesson"), "sessionType": "language", "participantId": id("Cleo"),
        "volunteerId": id("Dan"), "scheduledAt": at("11-05 09:00"), "durationMinutes": 30, "languageLevel": "A1"}));
    year.on("11-05 12:00", "kintell.rating.created", "createdAt").with(json!({
        "ratingId": id("rating 5"), "sessionId": id("Cleo's lesson"), "fromRole": "participant", "rating": 0.5}));
    year.on("11-06", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 7"), "textId": id("rating 5"), "textType": "kintell_feedback", "userId": id("Cleo"),
        "dimension": "lang_level_proxy", "score": 0.4, "confidence": 0.9,
        "snippets": [{"snippetText": "too fast", "snippetHash": "b2".repeat(32)}]}));
    // A text of which it is not said who wrote it.
    year.on("11-07", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 8"), "textId": id("coffee"), "textType": "checkin_note", "dimension": "well_being",
        "score": 0.9, "method": "rule_based", "language": "unknown"}));
    year.on("11-12", "safety.flag.raised", "raisedAt").with(json!({
        "flagId": id("flag in November"), "contentId": id("rating 5"), "contentType": "feedback_text",
        "flagReason": "profanity", "confidence": 0.55, "requiresHumanReview": false}));
    year.on("11-20", "buddy.event.attended", "attendedAt").with(json!({
        "eventId": id("fair"), "userId": id("Fay"), "matchId": id("Fay+Bo"), "eventTitle": "Job fair",
        "eventType": "professional", "eventFormat": "hybrid"}));
    year.on("11-25", "orchestration.journey.milestone.reached", "reachedAt").with(json!({
        "userId": id("Ada"), "milestone": "job_ready"}));
    year.on("11-25", "orchestration.profile.updated", "updatedAt").with(json!({
        "userId": id("Ada"), "updatedFields": ["jobTitle"]}));
    year.told("11-30", "ingest.enrollment.created").with(json!({
        "sourceSystem": "kintell", "sourceId": "e-1", "userId": id("Cleo"), "companyId": id("Fjord"),
        "programType": "language_course", "programId": "k-9", "programName": "Norwegian", "enrollmentDate": at("04-20"),
        "status": "completed", "completionDate": at("11-30")}));
}

/// Cleo tries a course and finds a job; a lesson is put off and never held; Fay's internship came to nothing. On New
/// Year's Eve Bo helps on the Azores, where it is still 2025.
pub(super) fn december(year: &mut Year) {
    for (when, status, percent) in [("12-01", "enrolled", 0), ("12-10", "dropped", 20)] {
        year.on(when, "upskilling.progress.updated", "updatedAt").with(json!({
            "progressId": id("Cleo's course"), "userId": id("Cleo"), "provider": "ecornell", "courseId": "c-2",
            "courseName": "Writing", "progressPercent": percent, "status": status}));
    }
    year.on("12-02", "privacy.request.opened", "openedAt").with(json!({
        "requestId": id("Cleo's request"), "userId": id("Cleo"), "requestType": "portability"}));
    year.on("12-12", "buddy.milestone.reached", "reachedAt").with(json!({
        "milestoneId": 2, "userId": id("Bo"), "milestoneTitle": "Three matches", "milestoneCategory": "impact",
        "points": 75}));
    year.told("12-15", "ingest.placement.created").with(placement("p-3", "Cleo", "job_placement", "12-15", "active"));
    for (when, planned) in [("12-16", "12-18"), ("12-17", "12-20")] {
        year.told(when, "kintell.session.scheduled").with(json!({
            "sessionId": id("lesson that never was"), "sessionType": "language", "participantId": id("Cleo"),
            "volunteerId": id("Dan"), "scheduledAt": at(planned)}));
    }
    year.told("12-20", "ingest.placement.created").with(placement("p-2", "Fay", "internship", "10-20", "terminated"));
    year.on("12-22", "company.synced", "syncedAt").with(json!({
        "companyId": id("Fjord"), "name": "Fjord Energy", "industry": "Energy", "country": "Norway",
        "countryCode": "NO"}));
    year.on("12-28", "buddy.import.batch", "importedAt").with(json!({
        "batchId": id("old files"), "entity": "matches", "source": "old", "sha256": "0".repeat(64), "rowCount": 0}));
    year.told("12-29", "reporting.redaction.completed").with(json!({}));
    year.told("12-29", "reporting.evidence_gate.violation").with(json!({"companyId": id("Fjord")}));
    year.on("2025-12-31T23:30:00-01:00", "ingest.volunteer.logged", "activityDate").with(json!({
        "sourceSystem": "workday", "sourceId": "v-3", "sourceTenantId": "fjord", "userId": id("Bo"),
        "externalUserId": "w-bo", "companyId": id("Fjord"), "activityName": "Beach", "activityType": "other",
        "hoursLogged": 3}));
}

fn placement(entry: &str, name: &str, kind: &str, since: &str, status: &str) -> Value {
    json!({"sourceSystem": "job_board", "sourceId": entry, "userId": id(name), "companyId": id("Fjord"),
        "placementType": kind, "placementDate": at(since), "status": status})
}
