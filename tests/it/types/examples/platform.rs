//! Programs and campaigns, placements and gifts, moderation, privacy, and what is only stored and fed.

use serde_json::{Value, json};

use super::{ADA, BOB, COMPANY, ENTITY, Example, GROUP, PROGRAM, example};

const SYNCED: &str = "00000000-0000-4000-8000-000000000500";
const TEMPLATE: &str = "00000000-0000-4000-8000-000000000501";
const FLAG: &str = "00000000-0000-4000-8000-000000000600";
const REQUEST: &str = "00000000-0000-4000-8000-000000000700";
const NOBODY: &str = "00000000-0000-4000-8000-00000000000f";

pub(super) fn examples() -> Vec<Example> {
    let mut examples = vec![
        program(),
        campaign(),
        placement(),
        donation(),
        older_donation(),
        flag(),
        review(),
        consent(),
        request_opened(),
        request_completed(),
        person_erased(),
        milestone(),
        profile(),
    ];
    examples.extend(analytics());
    examples
}

fn program() -> Example {
    example(
        "program.synced",
        json!({"programId": SYNCED, "programKey": "norsk", "name": "Norsk", "programType": "language",
            "status": "active", "syncedAt": "2026-01-20T00:00:00Z", "description": null, "templateId": TEMPLATE,
            "beneficiaryGroupId": GROUP, "config": {"weeks": 12}, "configOverrides": {}, "startDate": "2026-02-01",
            "endDate": null}),
        vec![
            (
                "select program_key, template_id, name, description, program_type, beneficiary_group_id, status, config,
                 config_overrides, start_date, end_date, updated_at = snapshot_at as is_of_the_snapshot
              from programs where id = '00000000-0000-4000-8000-000000000500'",
                vec![json!({"program_key": "norsk", "template_id": TEMPLATE, "name": "Norsk", "description": null,
                    "program_type": "language", "beneficiary_group_id": GROUP, "status": "active",
                    "config": {"weeks": 12}, "config_overrides": {}, "start_date": "2026-02-01", "end_date": null,
                    "is_of_the_snapshot": true})],
            ),
            ("select id, template_key, name from program_templates",
                vec![json!({"id": TEMPLATE, "template_key": null, "name": ""})]),
        ],
    )
}

fn campaign() -> Example {
    example(
        "program.campaign.synced",
        json!({"campaignId": ENTITY, "campaignKey": "norsk-2026", "programId": PROGRAM, "companyId": ENTITY,
            "name": "Norsk 2026", "status": "paused", "syncedAt": "2026-01-20T00:00:00Z", "description": "d",
            "startDate": "2026-02-01", "endDate": "2026-12-31", "targetEnrollment": 0, "maxEnrollment": 20,
            "currentEnrollment": 3, "budgetAllocated": i64::MAX, "budgetSpent": 123_456, "configOverrides": {"a": 1}}),
        vec![(
            "select campaign_key, program_id, company_id, name, description, status, start_date, end_date,
                 target_enrollment, max_enrollment, current_enrollment, budget_allocated, budget_spent, config_overrides
              from program_campaigns where id = '00000000-0000-4000-8000-000000000200'",
            vec![json!({"campaign_key": "norsk-2026", "program_id": PROGRAM, "company_id": ENTITY,
                "name": "Norsk 2026", "description": "d", "status": "paused", "start_date": "2026-02-01",
                "end_date": "2026-12-31", "target_enrollment": 0, "max_enrollment": 20, "current_enrollment": 3,
                "budget_allocated": i64::MAX, "budget_spent": 123_456, "config_overrides": {"a": 1}})],
        )],
    )
}

fn placement() -> Example {
    example(
        "ingest.placement.created",
        json!({"sourceSystem": "job_board", "sourceId": "p-1", "userId": ADA, "companyId": COMPANY,
            "placementType": "internship", "placementDate": "2026-01-21T00:00:00Z", "status": "active",
            "startDate": "2026-02-01T00:00:00+01:00", "endDate": null, "mentorId": BOB, "jobTitle": "Baker",
            "outcome": {"successful": true, "rating": 5}}),
        vec![
            (
                "select source_system, user_id, company_id, placement_type, status,
                 placement_date at time zone 'UTC' as placement_date, start_date at time zone 'UTC' as start_date,
                 end_date, mentor_ref
              from placements where source_id = 'p-1'",
                vec![json!({"source_system": "job_board", "user_id": ADA, "company_id": COMPANY,
                    "placement_type": "internship", "status": "active", "placement_date": "2026-01-21T00:00:00",
                    "start_date": "2026-01-31T23:00:00", "end_date": null, "mentor_ref": BOB})],
            ),
            (
                "select source_system, user_id from placement_people where source_id = 'p-1'",
                vec![json!({"source_system": "job_board", "user_id": ADA})],
            ),
        ],
    )
}

fn donation() -> Example {
    example(
        "ingest.donation.made",
        json!({"sourceSystem": "benevity", "sourceId": "d-1", "sourceTenantId": "t", "userId": BOB,
            "externalUserId": "b", "companyId": COMPANY, "donationType": "matching_gift", "amount": 10.25,
            "currency": "NOK", "amountUSD": 1, "nonprofitName": "Red Cross", "donationDate": "2026-01-22T00:00:00Z",
            "companyMatch": {"matched": true, "matchAmount": 10.25, "matchRatio": 1}, "sdgGoals": [1, 17],
            "taxDeductible": false, "tags": [], "campaignId": "spring", "campaignName": null}),
        vec![(
            "select user_id, processed_at is not null as done from event_log where event_type = 'ingest.donation.made'",
            vec![json!({"user_id": BOB, "done": true})],
        )],
    )
}

fn older_donation() -> Example {
    example(
        "external.donation.made",
        json!({"externalId": "d-2", "source": "goodera", "userId": ADA, "companyId": COMPANY, "amount": 0.01,
            "donationDate": "2026-01-23T00:00:00Z", "nonprofitName": "MSF"}),
        vec![(
            "select user_id, processed_at is not null as done from event_log where event_type = 'external.donation.made'",
            vec![json!({"user_id": ADA, "done": true})],
        )],
    )
}

fn flag() -> Example {
    example(
        "safety.flag.raised",
        json!({"flagId": FLAG, "contentId": ENTITY, "contentType": "checkin_note", "flagReason": "pii_leakage",
            "confidence": 0.7654, "requiresHumanReview": true, "raisedAt": "2026-01-24T00:00:00Z"}),
        vec![(
            "select content_id, content_type, flag_reason, confidence::text, requires_human_review,
                 raised_at at time zone 'UTC' as raised_at
              from safety_flags where id = '00000000-0000-4000-8000-000000000600'",
            vec![json!({"content_id": ENTITY, "content_type": "checkin_note", "flag_reason": "pii_leakage",
                "confidence": "0.765", "requires_human_review": true, "raised_at": "2026-01-24T00:00:00"})],
        )],
    )
}

fn review() -> Example {
    example(
        "safety.review.completed",
        json!({"reviewId": ENTITY, "flagId": FLAG, "reviewerId": BOB, "decision": "escalated", "notes": "Call them",
            "completedAt": "2026-01-25T00:00:00Z"}),
        vec![(
            "select review_status, reviewed_by, reviewer_ref, review_notes, reviewed_at at time zone 'UTC' as reviewed_at
              from safety_flags where id = '00000000-0000-4000-8000-000000000600'",
            vec![json!({"review_status": "escalated", "reviewed_by": BOB, "reviewer_ref": BOB,
                "review_notes": "Call them", "reviewed_at": "2026-01-25T00:00:00"})],
        )],
    )
}

fn consent() -> Example {
    example(
        "privacy.consent.changed",
        json!({"consentId": ENTITY, "userId": ADA, "consentType": "analytics", "status": "granted",
            "changedAt": "2026-01-26T00:00:00Z"}),
        vec![(
            "select id, user_id, consent_type, status, granted_at at time zone 'UTC' as granted_at, revoked_at
              from consents",
            vec![json!({"id": ENTITY, "user_id": ADA, "consent_type": "analytics", "status": "granted",
                "granted_at": "2026-01-26T00:00:00", "revoked_at": null})],
        )],
    )
}

fn request_opened() -> Example {
    example(
        "privacy.request.opened",
        json!({"requestId": ENTITY, "userId": ADA, "requestType": "deletion", "openedAt": "2026-01-27T00:00:00Z"}),
        vec![(
            "select user_id, request_type, status, created_at at time zone 'UTC' as created_at, completed_at
              from dsar_requests where id = '00000000-0000-4000-8000-000000000200'",
            vec![json!({"user_id": ADA, "request_type": "deletion", "status": "pending",
                "created_at": "2026-01-27T00:00:00", "completed_at": null})],
        )],
    )
}

fn request_completed() -> Example {
    example(
        "privacy.request.completed",
        json!({"requestId": REQUEST, "userId": BOB, "requestType": "access", "completedAt": "2026-01-28T00:00:00Z"}),
        vec![(
            "select user_id, request_type, status, created_at, completed_at at time zone 'UTC' as completed_at
              from dsar_requests where id = '00000000-0000-4000-8000-000000000700'",
            vec![json!({"user_id": BOB, "request_type": "access", "status": "completed", "created_at": null,
                "completed_at": "2026-01-28T00:00:00"})],
        )],
    )
}

/// Of somebody who is not known otherwise; what it does to others is in `privacy`.
fn person_erased() -> Example {
    example(
        "privacy.person.erased",
        json!({"erasureId": ENTITY, "userId": NOBODY, "identities": [GROUP], "aliases": [SYNCED, NOBODY],
            "erasedAt": "2026-01-28T12:00:00Z", "requestId": REQUEST}),
        vec![
            (
                "select email, first_name, last_name, role, id_derived, updated_at at time zone 'UTC' as updated_at
                  from users where id = '00000000-0000-4000-8000-00000000000f'",
                vec![json!({"email": format!("{NOBODY}@erased.invalid"), "first_name": null, "last_name": null,
                    "role": "company_user", "id_derived": true, "updated_at": "2026-01-28T12:00:00"})],
            ),
            (
                "select email, derived_user_id from user_emails where user_id = '00000000-0000-4000-8000-00000000000f'",
                vec![json!({"email": format!("{SYNCED}@erased.invalid"), "derived_user_id": SYNCED})],
            ),
            (
                "select count(*) from subject_keys where person = '00000000-0000-4000-8000-00000000000f'
                  and destroyed_at is not null",
                vec![json!({"count": 3})],
            ),
        ],
    )
}

/// Told by somebody else than Milepost.
fn milestone() -> Example {
    example(
        "orchestration.journey.milestone.reached",
        json!({"userId": ENTITY, "milestone": "job_ready", "reachedAt": "2026-01-29T00:00:00Z",
            "previousMilestone": "course_completed"}),
        vec![
            (
                "select user_id, processed_at is not null as done from event_log
                 where event_type = 'orchestration.journey.milestone.reached'",
                vec![json!({"user_id": ENTITY, "done": true})],
            ),
            ("select milestone from journey_milestones where milestone = 'job_ready'", vec![]),
        ],
    )
}

/// Told by somebody else than Milepost.
fn profile() -> Example {
    example(
        "orchestration.profile.updated",
        json!({"userId": ENTITY, "updatedFields": ["journey_flags"], "updatedAt": "2026-01-30T00:00:00Z",
            "trigger": "rule"}),
        vec![(
            "select user_id, processed_at is not null as done from event_log
             where event_type = 'orchestration.profile.updated'",
            vec![json!({"user_id": ENTITY, "done": true})],
        )],
    )
}

fn analytics() -> Vec<Example> {
    [
        ("nlq.query.started", json!({"companyId": COMPANY, "queryId": ENTITY, "question": "How many?"})),
        ("nlq.query.completed", json!({"companyId": COMPANY, "queryId": ENTITY, "durationMs": 12})),
        ("nlq.query.failed", json!({"companyId": null, "queryId": ENTITY, "error": {"code": "x"}})),
        ("nlq.query.rejected", json!({"queryId": ENTITY})),
        ("nlq.cache.invalidated", json!({})),
        ("reporting.citation.edited", json!({"companyId": COMPANY, "reportId": ENTITY, "changes": [1]})),
        ("reporting.redaction.completed", json!({"reportId": ENTITY})),
        ("reporting.evidence_gate.violation", json!({"companyId": COMPANY, "reportId": ENTITY})),
    ]
    .into_iter()
    .map(|(event_type, data): (_, Value)| {
        let stored = "select count(*) from event_log
            where (event_type like 'nlq.%' or event_type like 'reporting.%') and processed_at is not null";
        example(event_type, data, vec![(stored, vec![json!({"count": 8})])])
    })
    .collect()
}
