//! Sessions, courses, scores, and what outside systems report.

use serde_json::{Value, json};

use super::{ADA, BOB, CAMPAIGN, COMPANY, ENTITY, Example, GROUP, PROGRAM, example};

const SESSION: &str = "00000000-0000-4000-8000-000000000400";
const PLANNED: &str = "00000000-0000-4000-8000-000000000401";

pub(super) fn examples() -> Vec<Example> {
    vec![
        scheduled(),
        completed(),
        rating(),
        progress(),
        course_completed(),
        credential(),
        scored(),
        enrollment(),
        volunteering(),
        older_volunteering(),
    ]
}

fn session(id: &str, more: &Value) -> Value {
    let mut data = json!({"sessionId": id, "sessionType": "language", "participantId": ADA, "volunteerId": BOB,
        "scheduledAt": "2026-01-10T09:00:00Z", "externalSessionId": "k-1"});
    data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    data
}

fn scheduled() -> Example {
    example(
        "kintell.session.scheduled",
        session(PLANNED, &json!({"sessionType": "mentorship", "scheduledAt": "2026-01-09T10:00:00+01:00"})),
        vec![
            (
                "select session_type, participant_id, volunteer_id, external_session_id, completed_at, completed_event,
                 session_date at time zone 'UTC' as session_date
              from kintell_sessions where id = '00000000-0000-4000-8000-000000000401'",
                vec![json!({"session_type": "mentorship", "participant_id": ADA, "volunteer_id": BOB,
                    "external_session_id": "k-1", "completed_at": null, "completed_event": null,
                    "session_date": "2026-01-09T09:00:00"})],
            ),
            (
                "select user_id, status, enrolled_at at time zone 'UTC' as enrolled_at, program_id
              from program_enrollments where program_type = 'mentorship'",
                vec![
                    json!({"user_id": ADA, "status": "active", "enrolled_at": "2026-01-09T09:00:00", "program_id": null}),
                ],
            ),
        ],
    )
}

fn completed() -> Example {
    let more = json!({"completedAt": "2026-01-10T10:00:00Z", "durationMinutes": 60, "topics": ["food", "work"],
        "languageLevel": "b1", "programId": PROGRAM, "campaignId": CAMPAIGN, "beneficiaryGroupId": GROUP});
    example(
        "kintell.session.completed",
        session(SESSION, &more),
        vec![
            ("select session_type, participant_id, volunteer_id, external_session_id, duration_minutes, topics,
                 language_level, program_id, campaign_id, scheduled_at at time zone 'UTC' as scheduled_at,
                 session_date at time zone 'UTC' as session_date, completed_event is not null as is_completed
              from kintell_sessions where id = '00000000-0000-4000-8000-000000000400'",
                vec![json!({"session_type": "language", "participant_id": ADA, "volunteer_id": BOB,
                    "external_session_id": "k-1", "duration_minutes": 60, "topics": ["food", "work"],
                    "language_level": "B1", "program_id": PROGRAM, "campaign_id": CAMPAIGN,
                    "scheduled_at": "2026-01-10T09:00:00", "session_date": "2026-01-10T10:00:00",
                    "is_completed": true})]),
            ("select user_id, status, enrolled_at at time zone 'UTC' as enrolled_at, completed_at, program_id, campaign_id
              from program_enrollments where program_type = 'language' and source_id is null",
                vec![json!({"user_id": ADA, "status": "active", "enrolled_at": "2026-01-10T09:00:00",
                    "completed_at": null, "program_id": PROGRAM, "campaign_id": CAMPAIGN})]),
        ],
    )
}

fn rating() -> Example {
    example(
        "kintell.rating.created",
        json!({"ratingId": ENTITY, "sessionId": SESSION, "fromRole": "volunteer", "rating": 0.799_999_999_999_999_9,
            "feedbackText": "Fine", "createdAt": "2026-01-10T12:00:00Z"}),
        vec![
            ("select id, session_id, from_role, rating::text, feedback_text, created_at at time zone 'UTC' as created_at
              from kintell_ratings",
                vec![json!({"id": ENTITY, "session_id": SESSION, "from_role": "volunteer",
                    "rating": "0.7999999999999999", "feedback_text": "Fine", "created_at": "2026-01-10T12:00:00"})]),
            ("select rating::text, feedback_text from kintell_sessions where id = '00000000-0000-4000-8000-000000000400'",
                vec![json!({"rating": "0.80", "feedback_text": "Fine"})]),
        ],
    )
}

fn course(id: &str, more: &Value) -> Value {
    let mut data = json!({"userId": BOB, "provider": "ecornell", "courseId": id, "courseName": "Leading"});
    data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    data
}

fn progress() -> Example {
    let more =
        json!({"progressId": ENTITY, "progressPercent": 0, "status": "enrolled", "updatedAt": "2026-01-11T00:00:00Z"});
    example(
        "upskilling.progress.updated",
        course("c-1", &more),
        vec![
            ("select user_id, provider, course_name, status, progress_percent, completed_at, credential_ref, metadata,
                 started_at at time zone 'UTC' as started_at, updated_at at time zone 'UTC' as updated_at
              from learning_progress where course_id = 'c-1'",
                vec![json!({"user_id": BOB, "provider": "ecornell", "course_name": "Leading", "status": "enrolled",
                    "progress_percent": 0, "completed_at": null, "credential_ref": null, "metadata": {},
                    "started_at": "2026-01-11T00:00:00", "updated_at": "2026-01-11T00:00:00"})]),
            ("select user_id, status, enrolled_at at time zone 'UTC' as enrolled_at, completed_at, program_id, campaign_id
              from program_enrollments where program_type = 'upskilling' and source_id is null",
                vec![json!({"user_id": BOB, "status": "active", "enrolled_at": "2026-01-11T00:00:00",
                    "completed_at": null, "program_id": PROGRAM, "campaign_id": CAMPAIGN})]),
        ],
    )
}

fn course_completed() -> Example {
    let more = json!({"progressId": ENTITY, "completedAt": "2026-01-12T00:00:00Z", "finalScore": 87.5,
        "credentialRef": "cert-7", "programId": PROGRAM, "campaignId": CAMPAIGN, "beneficiaryGroupId": GROUP});
    example(
        "upskilling.course.completed",
        course("c-2", &more),
        vec![(
            "select status, progress_percent, started_at, completed_at at time zone 'UTC' as completed_at,
                 credential_ref, metadata
             from learning_progress where course_id = 'c-2'",
            vec![json!({"status": "completed", "progress_percent": 100, "started_at": null,
                "completed_at": "2026-01-12T00:00:00", "credential_ref": "cert-7", "metadata": {"final_score": 87.5}})],
        )],
    )
}

fn credential() -> Example {
    let more = json!({"credentialId": ENTITY, "credentialType": "badge", "issuedAt": "2026-01-13T00:00:00Z",
        "expiresAt": "2027-01-13T01:00:00+01:00", "credentialUrl": "https://example.org/c", "verificationCode": "x"});
    example(
        "upskilling.credential.issued",
        course("c-3", &more),
        vec![(
            "select status, progress_percent, started_at, completed_at at time zone 'UTC' as completed_at,
                 credential_ref, metadata
             from learning_progress where course_id = 'c-3'",
            vec![json!({"status": "completed", "progress_percent": 100, "started_at": null,
                "completed_at": "2026-01-13T00:00:00", "credential_ref": ENTITY,
                "metadata": {"credential_type": "badge", "credential_url": "https://example.org/c",
                    "expires_at": "2027-01-13T00:00:00.000000Z", "verification_code": "x"}})],
        )],
    )
}

fn scored() -> Example {
    let hash = "AB".repeat(32);
    example(
        "q2q.outcome.scored",
        json!({"scoreId": ENTITY, "textId": SESSION, "textType": "kintell_feedback", "userId": ADA,
            "dimension": "lang_level_proxy", "score": 0.4999, "confidence": 1, "modelVersion": "m-1",
            "method": null, "providerUsed": "claude", "topics": ["work"], "scoredAt": "2026-01-14T00:00:00Z",
            "snippets": [{"snippetText": "I can", "snippetHash": hash, "embeddingRef": "v/1", "sourceRef": null}]}),
        vec![
            (
                "select user_id, text_id, text_type, dimension, score::text, confidence::text, model_version, method,
                 provider_used, language, topics, created_at at time zone 'UTC' as created_at
              from outcome_scores where id = '00000000-0000-4000-8000-000000000200'",
                vec![json!({"user_id": ADA, "text_id": SESSION, "text_type": "kintell_feedback",
                    "dimension": "lang_level_proxy", "score": "0.500", "confidence": "1.000", "model_version": "m-1",
                    "method": "ai_classifier", "provider_used": "claude", "language": "en", "topics": ["work"],
                    "created_at": "2026-01-14T00:00:00"})],
            ),
            (
                "select outcome_score_id, snippet_text, snippet_hash, embedding_ref, embedding, source_ref
              from evidence_snippets",
                vec![json!({"outcome_score_id": ENTITY, "snippet_text": "I can", "snippet_hash": hash.to_lowercase(),
                    "embedding_ref": "v/1", "embedding": null, "source_ref": null})],
            ),
        ],
    )
}

fn enrollment() -> Example {
    example(
        "ingest.enrollment.created",
        json!({"sourceSystem": "kintell", "sourceId": "e-1", "userId": BOB, "companyId": COMPANY,
            "programType": "language_course", "programId": "p-1", "programName": "Norwegian",
            "enrollmentDate": "2026-01-15T00:00:00Z", "status": "completed", "completionDate": "2026-02-15T00:00:00Z",
            "completionPercentage": 100, "outcome": {"grade": "A"}, "hoursCompleted": 12.5, "estimatedHours": 12,
            "sdgGoals": [4], "tags": ["x"], "cohortId": "c", "instructorId": null}),
        vec![
            (
                "select user_id, program_type, status, enrolled_at at time zone 'UTC' as enrolled_at,
                 completed_at at time zone 'UTC' as completed_at, program_id, source_system
              from program_enrollments where source_id = 'e-1'",
                vec![json!({"user_id": BOB, "program_type": "language", "status": "completed",
                    "enrolled_at": "2026-01-15T00:00:00", "completed_at": "2026-02-15T00:00:00", "program_id": null,
                    "source_system": "kintell"})],
            ),
            (
                "select company_id, program_ref from enrollment_reports",
                vec![json!({"company_id": COMPANY, "program_ref": "p-1"})],
            ),
        ],
    )
}

fn volunteering() -> Example {
    example(
        "ingest.volunteer.logged",
        json!({"sourceSystem": "benevity", "sourceId": "v-1", "sourceTenantId": "t", "userId": BOB,
            "externalUserId": "b", "companyId": COMPANY, "activityName": "Planting", "activityType": "pro_bono",
            "hoursLogged": 2.25, "activityDate": "2026-01-16T00:00:00Z", "verified": true,
            "verifiedAt": "2026-01-17T00:00:00Z", "location": {"city": "Oslo"}, "sdgGoals": []}),
        vec![(
            "select source, user_id, company_id, hours::text, activity_date at time zone 'UTC' as activity_date,
                 activity_name, activity_type, verified
             from volunteering where source_id = 'v-1'",
            vec![json!({"source": "benevity", "user_id": BOB, "company_id": COMPANY, "hours": "2.25",
                "activity_date": "2026-01-16T00:00:00", "activity_name": "Planting", "activity_type": "pro_bono",
                "verified": true})],
        )],
    )
}

fn older_volunteering() -> Example {
    example(
        "external.volunteer.logged",
        json!({"externalId": "v-2", "source": "workday", "userId": ADA, "companyId": ENTITY, "activityName": "Tutoring",
            "activityType": "tutoring", "hours": 0.1, "activityDate": "2026-01-18T00:00:00Z"}),
        vec![(
            "select source, user_id, company_id, hours::text, activity_type, verified
             from volunteering where source_id = 'v-2'",
            vec![json!({"source": "workday", "user_id": ADA, "company_id": ENTITY, "hours": "0.1",
                "activity_type": "tutoring", "verified": false})],
        )],
    )
}
