//! One full example per type, and the rows that it makes.

mod platform;
mod programs;

use milepost::derived_id::derived_id;
use serde_json::{Value, json};

/// An event type with data, and what the tables hold afterwards: queries with their rows.
#[derive(Clone)]
pub(crate) struct Example {
    pub(crate) event_type: &'static str,
    pub(crate) data: Value,
    pub(crate) rows: Vec<(&'static str, Vec<Value>)>,
}

pub(crate) const ADA: &str = "00000000-0000-4000-8000-00000000000a";
pub(crate) const BOB: &str = "00000000-0000-4000-8000-00000000000b";
pub(crate) const COMPANY: &str = "00000000-0000-4000-8000-0000000000c0";
pub(crate) const MATCH: &str = "00000000-0000-4000-8000-000000000100";
const OTHER_MATCH: &str = "00000000-0000-4000-8000-000000000101";
const ENTITY: &str = "00000000-0000-4000-8000-000000000200";
const PROGRAM: &str = "00000000-0000-4000-8000-000000000300";
const CAMPAIGN: &str = "00000000-0000-4000-8000-000000000301";
const GROUP: &str = "00000000-0000-4000-8000-000000000302";

/// What the examples refer to.
pub(crate) const FOUNDATIONS: [fn() -> Example; 3] =
    [|| person(ADA, "ada"), || person(BOB, "bob"), || example("buddy.match.created", pair(OTHER_MATCH), vec![])];

fn example(event_type: &'static str, data: Value, rows: Vec<(&'static str, Vec<Value>)>) -> Example {
    Example { event_type, data, rows }
}

/// A person as a directory tells it.
pub(crate) fn directory(user_id: &str, name: &str) -> Value {
    json!({"sourceSystem": "workday", "sourceId": "s", "sourceTenantId": "t", "userId": user_id,
        "externalUserId": format!("w-{name}"), "companyId": COMPANY, "email": format!("{name}@example.org"),
        "firstName": name, "lastName": "Byron", "status": "active", "lastUpdated": "2026-01-01T00:00:00Z"})
}

fn person(user_id: &str, name: &str) -> Example {
    example("ingest.directory.synced", directory(user_id, name), vec![])
}

pub(crate) fn pair(match_id: &str) -> Value {
    json!({"matchId": match_id, "participantId": ADA, "buddyId": BOB, "matchedAt": "2026-01-02T09:30:00.123456789+01:00"})
}

pub(crate) fn examples() -> Vec<Example> {
    let mut examples = vec![
        company(),
        directory_synced(),
        user_synced(),
        match_created(),
        match_ended(),
        logged(),
        attended(),
        skill_share(),
        checkin(),
        feedback(),
        milestone(),
        import_batch(),
    ];
    examples.extend(programs::examples());
    examples.extend(platform::examples());
    examples
}

fn company() -> Example {
    example(
        "company.synced",
        json!({"companyId": ENTITY, "name": "Räksmörgås AB", "industry": "Food", "country": "Sweden",
            "countryCode": "SE", "settings": {"beta": true}, "isActive": false, "syncedAt": "2026-01-01T00:00:00Z"}),
        vec![(
            "select name, industry, country, country_code, settings, is_active from companies where name <> ''",
            vec![json!({"name": "Räksmörgås AB", "industry": "Food", "country": "Sweden", "country_code": "SE",
                "settings": {"beta": true}, "is_active": false})],
        )],
    )
}

fn directory_synced() -> Example {
    let mut data = directory("00000000-0000-4000-8000-00000000000e", "Eve");
    for (field, value) in [
        ("email", " Eve@Example.ORG "),
        ("displayName", "E. Byron"),
        ("department", "R&D"),
        ("managerEmail", "boss@example.org"),
        ("jobTitle", "Engineer"),
    ] {
        data[field] = json!(value);
    }
    data["customFields"] = json!({"shoe": 38.5});
    data["division"] = Value::Null;
    example(
        "ingest.directory.synced",
        data,
        vec![
            (
                "select email, role, first_name, last_name from users where id = '00000000-0000-4000-8000-00000000000e'",
                vec![
                    json!({"email": "eve@example.org", "role": "company_user", "first_name": "Eve", "last_name": "Byron"}),
                ],
            ),
            (
                "select provider, scope, external_id, email, active, metadata - 'anExtraKey' as metadata from user_external_ids where external_id = 'w-Eve'",
                vec![
                    json!({"provider": "workday", "scope": COMPANY, "external_id": "w-Eve", "email": "eve@example.org",
                    "active": true, "metadata": {"sourceSystem": "workday", "sourceId": "s", "sourceTenantId": "t",
                    "userId": "00000000-0000-4000-8000-00000000000e", "externalUserId": "w-Eve", "companyId": COMPANY,
                    "status": "active", "lastUpdated": "2026-01-01T00:00:00.000000Z", "department": "R&D",
                    "jobTitle": "Engineer", "customFields": {"shoe": 38.5}}}),
                ],
            ),
            (
                "select external_system, external_id from external_id_mappings where external_id like '%w-Eve'",
                vec![json!({"external_system": "workday", "external_id": format!("{COMPANY}:w-Eve")})],
            ),
        ],
    )
}

fn user_synced() -> Example {
    let id = derived_id("milepost:user:zoe@example.org");
    example(
        "external.user.synced",
        json!({"externalId": "r-1", "source": "okta", "companyId": COMPANY, "action": "created",
            "user": {"externalUserId": "o-zoe", "email": "ZOE@example.org", "firstName": "Zoe", "lastName": "Ek",
                "jobTitle": "Cook", "employmentStatus": "leave", "startDate": null}}),
        vec![
            (
                "select id, role, first_name, last_name, id_derived from users where email = 'zoe@example.org'",
                vec![
                    json!({"id": id, "role": "company_user", "first_name": "Zoe", "last_name": "Ek", "id_derived": true}),
                ],
            ),
            (
                "select c.user_id, c.left_at from company_users c join users u on u.id = c.user_id where u.email = 'zoe@example.org'",
                vec![json!({"user_id": id, "left_at": null})],
            ),
        ],
    )
}

fn match_created() -> Example {
    let mut data = pair(MATCH);
    data["matchingCriteria"] = json!({"language": "no", "interests": ["ski", "chess"], "location": null});
    (data["programId"], data["campaignId"], data["beneficiaryGroupId"]) =
        (json!(PROGRAM), json!(CAMPAIGN), json!(GROUP));
    example(
        "buddy.match.created",
        data,
        vec![
            (
                "select participant_id, buddy_id, program_id, campaign_id, beneficiary_group_id, matching_criteria,
                 matched_at at time zone 'UTC' as matched_at
              from buddy_matches where id = '00000000-0000-4000-8000-000000000100'",
                vec![json!({"participant_id": ADA, "buddy_id": BOB, "program_id": PROGRAM, "campaign_id": CAMPAIGN,
                    "beneficiary_group_id": GROUP, "matching_criteria": {"language": "no", "interests": ["ski", "chess"]},
                    "matched_at": "2026-01-02T08:30:00.123456"})],
            ),
            (
                "select id, program_key, name, status from programs where name = ''",
                vec![json!({"id": PROGRAM, "program_key": PROGRAM, "name": "", "status": "draft"})],
            ),
            (
                "select id, campaign_key, name, status from program_campaigns where name = ''",
                vec![json!({"id": CAMPAIGN, "campaign_key": CAMPAIGN, "name": "", "status": "draft"})],
            ),
            ("select id, name from beneficiary_groups", vec![json!({"id": GROUP, "name": ""})]),
            (
                "select email, role from users where email in ('ada@example.org', 'bob@example.org') order by email",
                vec![
                    json!({"email": "ada@example.org", "role": "participant"}),
                    json!({"email": "bob@example.org", "role": "volunteer"}),
                ],
            ),
        ],
    )
}

fn match_ended() -> Example {
    example(
        "buddy.match.ended",
        json!({"matchId": MATCH, "participantId": ADA, "buddyId": BOB, "endedAt": "2026-02-01T00:00:00Z",
            "duration": 30, "reason": "completed", "reasonDetails": "x".repeat(500), "sessionsCompleted": 0,
            "eventsAttended": 2, "feedback": {"participantSatisfaction": 0.9, "buddySatisfaction": 1}}),
        vec![(
            "select status, ended_reason, ended_at at time zone 'UTC' as ended_at from buddy_matches
               where id = '00000000-0000-4000-8000-000000000100'",
            vec![json!({"status": "ended", "ended_reason": "completed", "ended_at": "2026-02-01T00:00:00"})],
        )],
    )
}

fn logged() -> Example {
    example(
        "buddy.event.logged",
        json!({"eventId": ENTITY, "matchId": OTHER_MATCH, "eventType": "hangout", "eventDate": "2026-01-03T10:00:00Z",
            "description": "Coffee", "location": "Oslo", "attendees": [ADA, BOB]}),
        vec![("select match_id, user_id, event_type, event_date at time zone 'UTC' as event_date, description, location, metadata
               from buddy_events where id = '00000000-0000-4000-8000-000000000200'",
            vec![json!({"match_id": OTHER_MATCH, "user_id": null, "event_type": "hangout",
                "event_date": "2026-01-03T10:00:00", "description": "Coffee", "location": "Oslo", "metadata": {}})])],
    )
}

fn attended() -> Example {
    example(
        "buddy.event.attended",
        json!({"eventId": ENTITY.to_uppercase(), "userId": ADA, "matchId": OTHER_MATCH, "eventTitle": "Museum",
            "eventType": "cultural", "eventFormat": "in-person", "attendedAt": "2026-01-04T10:00:00Z",
            "location": null, "durationMinutes": 90, "attendeeCount": 12, "organizer": "City",
            "categories": ["art"], "sdgGoals": [4, 10]}),
        vec![(
            "select id, match_id, user_id, event_date at time zone 'UTC' as event_date, description, location, metadata
               from buddy_events where event_type = 'cultural'",
            vec![json!({"id": derived_id(&format!("milepost:attended:{ENTITY}:{ADA}")), "match_id": OTHER_MATCH,
                "user_id": ADA, "event_date": "2026-01-04T10:00:00", "description": "Museum", "location": null,
                "metadata": {"event_format": "in-person", "duration_minutes": 90, "attendee_count": 12,
                    "organizer": "City", "categories": ["art"], "sdg_goals": [4, 10]}})],
        )],
    )
}

fn skill_share() -> Example {
    example(
        "buddy.skill_share.completed",
        json!({"sessionId": ENTITY, "skillId": 7, "skillName": "Knitting", "skillCategory": "craft", "teacherId": BOB,
            "learnerId": ADA, "matchId": OTHER_MATCH, "completedAt": "2026-01-05T10:00:00Z",
            "scheduledAt": "2026-01-05T09:00:00Z", "durationMinutes": 45, "format": "online",
            "proficiencyLevel": "beginner", "sdgGoals": [4], "valuationPoints": 3,
            "feedback": {"teacherRating": 0.81, "learnerRating": 0.8, "teacherComment": "t", "learnerComment": "l"}}),
        vec![
            ("select id, session_type, participant_id, volunteer_id, session_date at time zone 'UTC' as session_date,
                 scheduled_at at time zone 'UTC' as scheduled_at, duration_minutes, rating::text, feedback_text, metadata
              from kintell_sessions where session_type = 'skill_share'",
                vec![json!({"id": ENTITY, "session_type": "skill_share", "participant_id": ADA, "volunteer_id": BOB,
                    "session_date": "2026-01-05T10:00:00", "scheduled_at": "2026-01-05T09:00:00", "duration_minutes": 45,
                    "rating": "0.81", "feedback_text": "l", "metadata": {"skill_id": 7, "skill_name": "Knitting",
                    "skill_category": "craft", "proficiency_level": "beginner", "sdg_goals": [4], "valuation_points": 3}})]),
            ("select id, match_id, user_id, event_date at time zone 'UTC' as event_date, metadata
              from buddy_events where event_type = 'video_call'",
                vec![json!({"id": derived_id(&format!("milepost:video_call:{ENTITY}")), "match_id": OTHER_MATCH,
                    "user_id": null, "event_date": "2026-01-05T10:00:00",
                    "metadata": {"event_format": "online", "duration_minutes": 45, "sdg_goals": [4]}})]),
        ],
    )
}

fn checkin() -> Example {
    example(
        "buddy.checkin.completed",
        json!({"checkinId": ENTITY, "matchId": OTHER_MATCH, "checkinDate": "2026-01-06T10:00:00Z", "mood": "struggling",
            "notes": "Ünïcode \u{1F600}", "questionResponses": {"q": {"a": [1, 0.10, null]}}}),
        vec![(
            "select id, match_id, checkin_date at time zone 'UTC' as checkin_date, mood, notes, question_responses from buddy_checkins",
            vec![json!({"id": ENTITY, "match_id": OTHER_MATCH, "checkin_date": "2026-01-06T10:00:00",
                "mood": "struggling", "notes": "Ünïcode \u{1F600}", "question_responses": {"q": {"a": [1, 0.1, null]}}})],
        )],
    )
}

fn feedback() -> Example {
    example(
        "buddy.feedback.submitted",
        json!({"feedbackId": ENTITY, "matchId": OTHER_MATCH, "fromRole": "buddy", "rating": 0.8, "feedbackText": "Good",
            "submittedAt": "2026-01-07T10:00:00Z", "categories": {"communication": 1, "helpfulness": 0.5}}),
        vec![("select id, match_id, from_role, rating::text, feedback_text, categories, submitted_at at time zone 'UTC' as submitted_at
               from buddy_feedback",
            vec![json!({"id": ENTITY, "match_id": OTHER_MATCH, "from_role": "buddy", "rating": "0.80",
                "feedback_text": "Good", "categories": {"communication": 1, "helpfulness": 0.5},
                "submitted_at": "2026-01-07T10:00:00"})])],
    )
}

fn milestone() -> Example {
    example(
        "buddy.milestone.reached",
        json!({"milestoneId": 12, "userId": ADA, "milestoneTitle": "Ten hikes", "milestoneCategory": "community",
            "reachedAt": "2026-01-08T10:00:00Z", "points": 50, "badgeIcon": "boot", "targetRole": "all",
            "progress": {"currentStep": 1, "totalSteps": 1, "completedSteps": ["x"]},
            "metadata": {"isFirstTime": true, "relatedEntities": [{"type": "hike", "id": "1"}]}}),
        vec![(
            "select user_id, milestone, reached_at at time zone 'UTC' as reached_at, triggered_by_rule, metadata from journey_milestones where milestone like 'buddy:%'",
            vec![json!({"user_id": ADA, "milestone": "buddy:12", "reached_at": "2026-01-08T10:00:00",
                "triggered_by_rule": "buddy.milestone.reached",
                "metadata": {"title": "Ten hikes", "category": "community", "points": 50}})],
        )],
    )
}

fn import_batch() -> Example {
    example(
        "buddy.import.batch",
        json!({"batchId": ENTITY, "entity": "matches", "source": "old", "sha256": "0".repeat(64), "rowCount": 0,
            "importedAt": "2026-01-09T10:00:00Z"}),
        vec![(
            "select event_type, user_id, processed_at is not null as done from buddy_system_events where event_type = 'buddy.import.batch'",
            vec![json!({"event_type": "buddy.import.batch", "user_id": null, "done": true})],
        )],
    )
}
