//! What is told more than once: the latest snapshot wins entirely, the earliest milestone stands.

use serde_json::{Value, json};

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
