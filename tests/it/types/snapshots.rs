//! What is told more than once: the latest snapshot wins entirely, the earliest milestone stands.

use serde_json::{Value, json};
use uuid::Uuid;

use super::same_rows;
use crate::support::{Csr, World};

/// Publishes in this order, one batch each, and gives the rows.
async fn one_by_one(events: &[Value], sql: &str) -> Vec<Value> {
    let world = World::new().await;
    world.publish_events(events).await;
    assert_eq!(world.drain(&["--batch", "1"])["applied"], events.len());
    world.rows(sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_company_snapshot_wins_and_what_it_does_not_say_is_null() {
    let mut csr = Csr::new();
    let id = csr.id();
    let at = "2026-01-01T00:00:00Z";
    let full = csr.event(
        "company.synced",
        json!({"companyId": id, "name": "Old", "industry": "Food",
        "country": "Norway", "countryCode": "NO", "settings": {"a": 1}, "isActive": false, "syncedAt": at}),
    );
    let bare = csr.event("company.synced", json!({"companyId": id, "name": "New", "syncedAt": at}));
    let sql = "select name, industry, country, country_code, settings, is_active from companies";
    let expected = json!({"name": "New", "industry": null, "country": null, "country_code": null, "settings": null, "is_active": true});
    for order in [[&full, &bare], [&bare, &full]] {
        let events: Vec<Value> = order.into_iter().cloned().collect();
        same_rows("a company", &one_by_one(&events, sql).await, std::slice::from_ref(&expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_milestone_counts_from_the_earliest_time_at_which_it_was_reached() {
    let mut csr = Csr::new();
    let id = csr.id();
    let person = csr.person(id);
    let mut reached = |day: &str, points: i32| {
        csr.event(
            "buddy.milestone.reached",
            json!({"milestoneId": 3, "userId": id, "milestoneTitle": "t",
            "milestoneCategory": "other", "reachedAt": format!("2026-01-{day}T00:00:00Z"), "points": points}),
        )
    };
    let (later, earlier) = (reached("09", 9), reached("03", 3));
    let sql = "select reached_at at time zone 'UTC' as at, metadata -> 'points' as points from journey_milestones where milestone like 'buddy:%'";
    for order in [[&later, &earlier], [&earlier, &later]] {
        let events: Vec<Value> = [&person].into_iter().chain(order).cloned().collect();
        let expected = json!({"at": "2026-01-03T00:00:00", "points": 3});
        same_rows("a milestone", &one_by_one(&events, sql).await, &[expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_program_and_campaign_win_over_stubs_and_earlier_ones_and_what_they_do_not_say_is_null() {
    let mut csr = Csr::new();
    let [program, campaign, company, other, template] = [csr.id(), csr.id(), csr.id(), csr.id(), csr.id()];
    let at = "2026-01-01T00:00:00Z";
    let mut program_told = |key: &str, more: Value| {
        let mut data = json!({"programId": program, "programKey": key, "name": key, "programType": "buddy",
            "status": "active", "syncedAt": at});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        csr.event("program.synced", data)
    };
    let full = json!({"templateId": template, "description": "d", "config": {"a": 1}, "startDate": "2026-01-01"});
    let (old, new) = (program_told("old", full), program_told("new", json!({})));
    let mut campaign_told = |company: Uuid, more: Value| {
        let mut data = json!({"campaignId": campaign, "campaignKey": "c", "programId": program, "companyId": company,
            "name": "c", "status": "draft", "syncedAt": at});
        data.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        csr.event("program.campaign.synced", data)
    };
    let full = json!({"budgetSpent": 7, "endDate": "2026-01-01", "maxEnrollment": 3});
    // The campaign makes a stub of the program wherever it comes first.
    let (before, after) = (campaign_told(other, full), campaign_told(company, json!({"budgetSpent": 8})));
    let sql = "select program_key, programs.name, template_id, programs.description, config, programs.start_date,
            company_id, budget_spent, program_campaigns.end_date, max_enrollment
        from programs join program_campaigns on program_id = programs.id";
    let expected = json!({"program_key": "new", "name": "new", "template_id": null, "description": null,
        "config": null, "start_date": null, "company_id": company, "budget_spent": 8, "end_date": null,
        "max_enrollment": null});
    let told = [&old, &new, &before, &after];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 1, 3, 0]] {
        let events: Vec<Value> = order.into_iter().map(|place: usize| told[place].clone()).collect();
        same_rows(&format!("{order:?}"), &one_by_one(&events, sql).await, std::slice::from_ref(&expected));
    }
}
