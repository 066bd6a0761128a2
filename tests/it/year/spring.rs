//! January to June.

use serde_json::json;

use super::story::{Year, at, id};

/// The company and its directory. Ada, Bo, Dan and Fay work here; Eve, who runs the programme, is entered by hand. Cleo
/// has only just come: the sign-on knows her, and the platform has no id for her yet.
pub(super) fn january(year: &mut Year) {
    year.on("01-02", "company.synced", "syncedAt").with(json!({
        "companyId": id("Fjord"), "name": "Fjord", "industry": "Energy", "country": "Norway", "countryCode": "NO",
        "settings": {"language": "no"}}));
    year.on("01-02", "program.synced", "syncedAt").with(json!({
        "programId": id("Buddies"), "programKey": "buddies", "name": "Buddies", "programType": "buddy",
        "status": "active", "templateId": id("Template"), "beneficiaryGroupId": id("Newcomers"),
        "startDate": "2025-01-01"}));
    year.on("01-02", "program.synced", "syncedAt").with(json!({
        "programId": id("Norsk"), "programKey": "norsk", "name": "Norsk", "programType": "language",
        "status": "active"}));
    year.on("01-03", "program.campaign.synced", "syncedAt").with(json!({
        "campaignId": id("Welcome"), "campaignKey": "welcome", "programId": id("Buddies"), "companyId": id("Fjord"),
        "name": "Welcome", "status": "active", "startDate": "2025-01-01", "endDate": "2025-06-30",
        "budgetAllocated": 50_000, "budgetSpent": 18_100}));
    for name in ["Ada", "Bo", "Dan", "Fay"] {
        year.directory("01-06", name, &json!({}));
    }
    let by_hand =
        json!({"sourceSystem": "manual", "externalUserId": "m-eve", "customFields": {"importedRole": "admin"}});
    year.directory("01-06", "Eve", &by_hand);
    year.told("01-07", "external.user.synced").with(json!({
        "externalId": "sign-on 1", "source": "okta", "companyId": id("Fjord"), "action": "created",
        "user": {"externalUserId": "o-cleo", "email": "Cleo@Fjord.example", "firstName": "Cleo", "lastName": "Dahl"}}));
    year.on("01-08", "privacy.consent.changed", "changedAt").with(json!({
        "consentId": id("consent"), "userId": id("Ada"), "consentType": "analytics", "status": "granted"}));
}

/// Ada and Bo are matched, talk, and have coffee. Cleo and Bo are matched too, but nobody knows who that id is: the match
/// waits. Dan gives Ada her first lesson, and both say how it was.
pub(super) fn february(year: &mut Year) {
    year.on("02-03", "buddy.match.created", "matchedAt").with(json!({
        "matchId": id("Ada+Bo"), "participantId": id("Ada"), "buddyId": id("Bo"),
        "matchingCriteria": {"language": "no", "interests": ["wool"]}, "programId": id("Buddies"),
        "campaignId": id("Welcome"), "beneficiaryGroupId": id("Newcomers")}));
    year.on("02-05", "buddy.checkin.completed", "checkinDate").with(json!({
        "checkinId": id("talk in February"), "matchId": id("Ada+Bo"), "mood": "good", "notes": "Ada likes the snow"}));
    year.on("02-10", "buddy.event.logged", "eventDate").with(json!({
        "eventId": id("coffee"), "matchId": id("Ada+Bo"), "eventType": "hangout", "description": "Coffee",
        "location": "Oslo", "attendees": [id("Ada"), id("Bo")]}));
    year.on("02-12", "buddy.match.created", "matchedAt").with(json!({
        "matchId": id("Cleo+Bo"), "participantId": id("Cleo"), "buddyId": id("Bo"), "programId": id("Buddies")}));
    let lesson = json!({"sessionId": id("lesson 1"), "externalSessionId": "k-1", "sessionType": "language",
        "participantId": id("Ada"), "volunteerId": id("Dan"), "scheduledAt": at("02-20 09:00")});
    year.told("02-17", "kintell.session.scheduled").with(lesson.clone());
    let mut held = lesson;
    (held["durationMinutes"], held["languageLevel"], held["programId"]) = (json!(60), json!("a2"), json!(id("Norsk")));
    year.on("02-20", "kintell.session.completed", "completedAt").with(held);
    year.on("02-20 12:00", "kintell.rating.created", "createdAt").with(json!({
        "ratingId": id("rating 1"), "sessionId": id("lesson 1"), "fromRole": "participant", "rating": 0.9,
        "feedbackText": "Lovely"}));
    year.on("02-21", "kintell.rating.created", "createdAt").with(json!({
        "ratingId": id("rating 2"), "sessionId": id("lesson 1"), "fromRole": "volunteer", "rating": 0.7,
        "feedbackText": "Shy"}));
    year.told("02-24", "nlq.query.started").with(json!({"companyId": id("Fjord"), "question": "How many matches?"}));
    year.told("02-24", "nlq.query.completed").with(json!({"companyId": id("Fjord"), "durationMs": 12}));
}

/// Late news: Bo had volunteered in January. Bo teaches Ada to knit, online. Ada's texts are scored. The campaign's budget
/// is corrected, and a publisher sends February's talk once more.
pub(super) fn march(year: &mut Year) {
    year.on("01-28", "ingest.volunteer.logged", "activityDate").with(json!({
        "sourceSystem": "workday", "sourceId": "v-1", "sourceTenantId": "fjord", "userId": id("Bo"),
        "externalUserId": "w-bo", "companyId": id("Fjord"), "activityName": "Shelter",
        "activityType": "hands_on_volunteering", "hoursLogged": 8}));
    year.on("03-05", "buddy.skill_share.completed", "completedAt").with(json!({
        "sessionId": id("knitting"), "skillId": 7, "skillName": "Knitting", "teacherId": id("Bo"),
        "learnerId": id("Ada"), "matchId": id("Ada+Bo"), "durationMinutes": 45, "format": "online",
        "valuationPoints": 15, "feedback": {"teacherRating": 0.8, "learnerRating": 1, "learnerComment": "Nice wool"}}));
    year.on("03-08", "buddy.milestone.reached", "reachedAt").with(json!({
        "milestoneId": 1, "userId": id("Ada"), "milestoneTitle": "First month", "milestoneCategory": "onboarding",
        "points": 50}));
    year.on("03-15", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 1"), "textId": id("talk in February"), "textType": "checkin_note", "userId": id("Ada"),
        "dimension": "belonging", "score": 0.6, "confidence": 0.9,
        "snippets": [{"snippetText": "likes the snow", "snippetHash": "a1".repeat(32)}]}));
    year.on("03-16", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 2"), "textId": id("rating 1"), "textType": "kintell_feedback", "userId": id("Ada"),
        "dimension": "lang_level_proxy", "score": 0.45, "confidence": 0.7, "providerUsed": "claude"}));
    let talk = json!({"sessionId": id("talk on work"), "sessionType": "mentorship", "participantId": id("Ada"),
        "volunteerId": id("Bo"), "scheduledAt": at("03-24 09:00")});
    year.told("03-17", "kintell.session.scheduled").with(talk.clone());
    let mut held = talk;
    held["durationMinutes"] = json!(90);
    year.on("03-24", "kintell.session.completed", "completedAt").with(held);
    year.on("03-31", "program.campaign.synced", "syncedAt").with(json!({
        "campaignId": id("Welcome"), "campaignKey": "welcome", "programId": id("Buddies"), "companyId": id("Fjord"),
        "name": "Welcome", "status": "active", "startDate": "2025-01-01", "endDate": "2025-06-30",
        "budgetAllocated": 50_000, "budgetSpent": 36_200}));
    year.again("buddy.checkin.completed");
}

/// The directory says who Cleo is: her row gets the id, and the match of February is there. Fay begins a course. Ada and
/// Cleo go to the museum.
pub(super) fn april(year: &mut Year) {
    year.directory("04-01", "Cleo", &json!({"lastName": "Dahl"}));
    for (when, status, percent) in [("04-03", "enrolled", 0), ("04-20", "in_progress", 50)] {
        year.on(when, "upskilling.progress.updated", "updatedAt").with(json!({
            "progressId": id("Fay's course"), "userId": id("Fay"), "provider": "ecornell", "courseId": "c-1",
            "courseName": "Leading", "progressPercent": percent, "status": status}));
    }
    for (name, matched) in [("Ada", "Ada+Bo"), ("Cleo", "Cleo+Bo")] {
        year.on("04-10", "buddy.event.attended", "attendedAt").with(json!({
            "eventId": id("museum"), "userId": id(name), "matchId": id(matched), "eventTitle": "Museum",
            "eventType": "cultural", "eventFormat": "in-person", "location": "Trondheim", "durationMinutes": 90}));
    }
    year.on("04-15", "buddy.feedback.submitted", "submittedAt").with(json!({
        "feedbackId": id("Ada's thanks"), "matchId": id("Ada+Bo"), "fromRole": "participant", "rating": 0.8,
        "feedbackText": "Bo listens"}));
    year.on("04-20", "ingest.enrollment.created", "enrollmentDate").with(json!({
        "sourceSystem": "kintell", "sourceId": "e-1", "userId": id("Cleo"), "companyId": id("Fjord"),
        "programType": "language_course", "programId": "k-9", "programName": "Norwegian", "status": "enrolled"}));
    year.on("04-25", "buddy.checkin.completed", "checkinDate").with(json!({
        "checkinId": id("talk in April"), "matchId": id("Cleo+Bo"), "mood": "struggling"}));
    year.told("04-30", "nlq.query.failed").with(json!({"companyId": id("Fjord"), "error": "too long"}));
    year.told("04-30", "nlq.query.rejected").with(json!({"companyId": id("Fjord")}));
    year.told("04-30", "nlq.cache.invalidated").with(json!({}));
}

/// Fay completes her course, and leaves another one. Ada is better at Norwegian. A machine takes offence at February's
/// talk; Eve looks twice.
pub(super) fn may(year: &mut Year) {
    year.on("05-05", "upskilling.course.completed", "completedAt").with(json!({
        "progressId": id("Fay's course"), "userId": id("Fay"), "provider": "ecornell", "courseId": "c-1",
        "courseName": "Leading", "finalScore": 87.5, "credentialRef": "cert-7", "programId": id("Leaders")}));
    year.on("05-06", "upskilling.credential.issued", "issuedAt").with(json!({
        "credentialId": id("Fay's badge"), "userId": id("Fay"), "provider": "ecornell", "courseId": "c-1",
        "courseName": "Leading", "credentialType": "badge"}));
    year.on("05-12", "kintell.session.completed", "completedAt").with(json!({
        "sessionId": id("lesson 2"), "sessionType": "language", "participantId": id("Ada"), "volunteerId": id("Dan"),
        "scheduledAt": at("05-12 09:00"), "durationMinutes": 45, "languageLevel": "B1", "programId": id("Norsk")}));
    year.on("05-12 12:00", "kintell.rating.created", "createdAt").with(json!({
        "ratingId": id("rating 3"), "sessionId": id("lesson 2"), "fromRole": "participant", "rating": 1}));
    year.on("05-15", "ingest.enrollment.created", "enrollmentDate").with(json!({
        "sourceSystem": "upskilling", "sourceId": "e-2", "userId": id("Fay"), "companyId": id("Fjord"),
        "programType": "certification_program", "programId": "u-1", "programName": "Welding", "status": "withdrawn"}));
    year.on("05-20", "safety.flag.raised", "raisedAt").with(json!({
        "flagId": id("flag in May"), "contentId": id("talk in February"), "contentType": "checkin_note",
        "flagReason": "other", "confidence": 0.9, "requiresHumanReview": true}));
    for (when, name, decision, notes) in
        [("05-21", "first look", "escalated", "Snow?"), ("05-23", "second look", "approved", "It is about snow")]
    {
        year.on(when, "safety.review.completed", "completedAt").with(json!({
            "reviewId": id(name), "flagId": id("flag in May"), "reviewerId": id("Eve"), "decision": decision,
            "notes": notes}));
    }
    year.on("05-26", "external.volunteer.logged", "activityDate").with(json!({
        "externalId": "v-2", "source": "benevity", "userId": id("Bo"), "companyId": id("Fjord"),
        "activityName": "Food bank", "activityType": "general", "hours": 2.5}));
    year.on("05-28", "ingest.enrollment.created", "enrollmentDate").with(json!({
        "sourceSystem": "manual", "sourceId": "e-3", "userId": id("Eve"), "companyId": id("Fjord"),
        "programType": "other", "programId": "x", "programName": "Choir", "status": "enrolled"}));
}

/// Late news again: Fay had enrolled in March. Ada is scored anew, partly on the same words. Somebody sends a mood that
/// there is not. Ada and Bo are done.
pub(super) fn june(year: &mut Year) {
    year.on("03-30", "upskilling.progress.updated", "updatedAt").with(json!({
        "progressId": id("Fay's course"), "userId": id("Fay"), "provider": "ecornell", "courseId": "c-1",
        "courseName": "Leading", "progressPercent": 0, "status": "enrolled"}));
    year.on("06-15", "q2q.outcome.scored", "scoredAt").with(json!({
        "scoreId": id("score 3"), "textId": id("Ada's thanks"), "textType": "buddy_feedback", "userId": id("Ada"),
        "dimension": "belonging", "score": 0.8, "confidence": 0.95,
        "snippets": [{"snippetText": "likes the snow", "snippetHash": "A1".repeat(32)}]}));
    for (when, name, dimension, score) in
        [("06-16", "score 4", "lang_level_proxy", 0.55), ("06-17", "score 5", "job_readiness", 0.75)]
    {
        year.on(when, "q2q.outcome.scored", "scoredAt").with(json!({
            "scoreId": id(name), "textId": id("Ada's thanks"), "textType": "buddy_feedback", "userId": id("Ada"),
            "dimension": dimension, "score": score}));
    }
    year.on("06-18", "ingest.donation.made", "donationDate").with(json!({
        "sourceSystem": "benevity", "sourceId": "d-1", "sourceTenantId": "fjord", "userId": id("Bo"),
        "externalUserId": "w-bo", "companyId": id("Fjord"), "donationType": "one_time", "amount": 250,
        "currency": "NOK", "nonprofitName": "Red Cross"}));
    year.on("06-18", "external.donation.made", "donationDate").with(json!({
        "externalId": "d-2", "source": "goodera", "userId": id("Ada"), "companyId": id("Fjord"), "amount": 100,
        "nonprofitName": "Red Cross"}));
    year.on("06-20", "buddy.checkin.completed", "checkinDate").with(json!({
        "checkinId": id("talk in June"), "matchId": id("Ada+Bo"), "mood": "meh"}));
    year.on("06-30", "buddy.feedback.submitted", "submittedAt").with(json!({
        "feedbackId": id("Bo's thanks"), "matchId": id("Ada+Bo"), "fromRole": "buddy", "rating": 0.6}));
    year.on("06-30", "buddy.match.ended", "endedAt").with(json!({
        "matchId": id("Ada+Bo"), "participantId": id("Ada"), "buddyId": id("Bo"), "duration": 147,
        "reason": "completed"}));
}
