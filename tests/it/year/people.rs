//! Who there is, at the end of the year.

use super::tables::Tables;

pub(super) async fn people(tables: &mut Tables<'_>) {
    // Whoever helps is a volunteer, whoever is helped a participant; Eve's role was imported. Bo's e-mail is the latest.
    tables
        .show(
            "users",
            "id | email | role | first_name | last_name",
            &[
                "Ada | ada@fjord.example | participant | Ada | Berg",
                "Bo | bo.berg@fjord.example | volunteer | Bo | Berg",
                "Cleo | cleo@fjord.example | participant | Cleo | Dahl",
                "Dan | dan@fjord.example | volunteer | Dan | Berg",
                "Eve | eve@fjord.example | admin | Eve | Berg",
                "Fay | fay@fjord.example | participant | Fay | Berg",
            ],
        )
        .await;
    // Ada was at the coffee, which was logged, and at the museum. Bo was at the coffee; that he had three matches counts
    // those that are over. The latest talk of a match counts for both.
    tables
        .show("users where journey_flags <> '{}'", "id | journey_flags", &[
            r#"Ada | {"buddy_match_count": 1, "last_buddy_activity": "04-15", "is_buddy_participant": true, "buddy_events_attended": 2, "buddy_milestones_count": 1, "skill_shares_completed": 1}"#,
            r#"Bo | {"buddy_match_count": 3, "is_buddy_volunteer": true, "last_buddy_activity": "10-09", "buddy_events_attended": 1, "buddy_milestones_count": 1, "skill_shares_completed": 1}"#,
            r#"Cleo | {"buddy_match_count": 1, "last_buddy_activity": "04-25", "is_buddy_participant": true, "buddy_events_attended": 1}"#,
            r#"Fay | {"buddy_match_count": 1, "last_buddy_activity": "11-20", "is_buddy_participant": true, "buddy_events_attended": 1}"#,
        ])
        .await;
    // December's snapshot says nothing of settings: there are none. Of Brook nothing was told.
    tables
        .show(
            "companies",
            "id | name | industry | country | country_code | settings | is_active",
            &["Fjord | Fjord Energy | Energy | Norway | NO | - | true", "Brook |  | - | - | - | {} | true"],
        )
        .await;
    tables
        .show(
            "company_users",
            "company_id | user_id | joined_at | left_at",
            &[
                "Fjord | Ada | 01-06 | -",
                "Fjord | Bo | 01-06 | -",
                "Fjord | Cleo | 01-07 | -",
                "Fjord | Dan | 01-06 | 09-30",
                "Fjord | Eve | 01-06 | -",
                "Fjord | Fay | 01-06 | -",
                "Brook | Dan | 10-01 | -",
            ],
        )
        .await;
    // Each snapshot, in the order of time: what a person's company was at a moment follows from these.
    tables
        .show(
            "company_memberships",
            "user_id | company_id | seen_at",
            &[
                "Ada | Fjord | 01-06",
                "Bo | Fjord | 01-06",
                "Bo | Fjord | 07-01",
                "Cleo | Fjord | 01-07",
                "Cleo | Fjord | 04-01",
                "Dan | Fjord | 01-06",
                "Dan | Fjord | 09-30",
                "Dan | Brook | 10-01",
                "Eve | Fjord | 01-06",
                "Fay | Fjord | 01-06",
            ],
        )
        .await;
    external_ids(tables).await;
}

async fn external_ids(tables: &mut Tables<'_>) {
    tables
        .show(
            "user_external_ids",
            "provider | scope | external_id | profile_id | metadata -> 'status'",
            &[
                r#"workday | Fjord | w-ada | Ada | "active""#,
                r#"workday | Fjord | w-bo | Bo | "active""#,
                "okta | Fjord | o-cleo | Cleo | -",
                r#"workday | Fjord | w-cleo | Cleo | "active""#,
                r#"workday | Fjord | w-dan | Dan | "terminated""#,
                "azure_ad | Brook | a-dan | Dan | -",
                r#"manual | Fjord | m-eve | Eve | "active""#,
                r#"workday | Fjord | w-fay | Fay | "active""#,
            ],
        )
        .await;
    // Without names and e-mails.
    let personal = r#"user_external_ids where metadata::text ~ 'example|Berg|Dahl|"(Ada|Bo|Cleo|Dan|Eve|Fay)"'"#;
    tables.show(personal, "external_id", &[]).await;
    tables
        .show(
            "external_id_mappings",
            "external_system | external_id | user_id",
            &[
                "workday | Fjord:w-ada | Ada",
                "workday | Fjord:w-bo | Bo",
                "okta | Fjord:o-cleo | Cleo",
                "workday | Fjord:w-cleo | Cleo",
                "workday | Fjord:w-dan | Dan",
                "azure_ad | Brook:a-dan | Dan",
                "manual | Fjord:m-eve | Eve",
                "workday | Fjord:w-fay | Fay",
            ],
        )
        .await;
    // Every e-mail once seen.
    tables
        .show(
            "user_emails",
            "email | user_id",
            &[
                "ada@fjord.example | Ada",
                "bo@fjord.example | Bo",
                "bo.berg@fjord.example | Bo",
                "cleo@fjord.example | Cleo",
                "dan@fjord.example | Dan",
                "eve@fjord.example | Eve",
                "fay@fjord.example | Fay",
            ],
        )
        .await;
}

/// What is to be handled with care.
pub(super) async fn care(tables: &mut Tables<'_>) {
    tables
        .show(
            "safety_flags",
            "id | content_id | content_type | flag_reason | confidence | requires_human_review | review_status | \
             reviewed_by | review_notes | reviewed_at | raised_at",
            &[
                "flag in May | talk in February | checkin_note | other | 0.900 | true | approved | Eve | It is about \
                 snow | 05-23 | 05-20",
                "flag in November | rating 5 | feedback_text | profanity | 0.550 | false | pending | - | - | - | 11-12",
            ],
        )
        .await;
    tables
        .show(
            "safety_reviews",
            "id | flag_id | reviewer_ref | decision",
            &["first look | flag in May | Eve | escalated", "second look | flag in May | Eve | approved"],
        )
        .await;
    tables
        .show(
            "consents",
            "id | user_id | consent_type | status | granted_at | revoked_at",
            &["consent | Ada | analytics | revoked | 01-08 | 07-10"],
        )
        .await;
    tables
        .show(
            "dsar_requests",
            "id | user_id | request_type | status | created_at | completed_at",
            &[
                "Ada's request | Ada | access | completed | 07-11 | 07-20",
                "Cleo's request | Cleo | portability | pending | 12-02 | -",
            ],
        )
        .await;
}
