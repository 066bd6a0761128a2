//! Consents and requests of data subjects, in every order of what is told of them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::orders;
use crate::support::{Csr, World};

const RUNS: [&[&str]; 3] = [&["--batch", "1"], &["--batch", "1000"], &["--workers", "4", "--batch", "5"]];

/// Publishes these events of a person, runs, and gives the rows.
async fn rows(run: &[&str], mut csr: Csr, person: Uuid, events: &[Value], sql: &str) -> Vec<Value> {
    let world = World::new().await;
    world.publish_events(&[&[csr.person(person)][..], events].concat()).await;
    assert_eq!(world.drain(run)["applied"], events.len() + 1, "{run:?}");
    world.prove();
    world.rows(sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_what_was_said_last_and_remembers_when_it_was_granted_and_revoked() {
    for run in RUNS {
        let mut csr = Csr::new();
        let (person, mut events) = (csr.id(), Vec::new());
        for order in orders(4) {
            let consent = csr.id();
            let told: Vec<Value> = [("granted", 2), ("revoked", 4), ("granted", 3), ("pending", 1)]
                .iter()
                .map(|(status, day)| {
                    let data = json!({"consentId": consent, "userId": person, "consentType": "research",
                        "status": status, "changedAt": format!("2026-01-0{day}T00:00:00Z")});
                    csr.event("privacy.consent.changed", data)
                })
                .collect();
            events.extend(order.iter().map(|place| told[*place].clone()));
        }
        let sql = "select distinct status, granted_at at time zone 'UTC' as granted_at,
            revoked_at at time zone 'UTC' as revoked_at, changed_at = revoked_at as is_of_the_latest from consents";
        let expected = json!({"status": "revoked", "granted_at": "2026-01-03T00:00:00",
            "revoked_at": "2026-01-04T00:00:00", "is_of_the_latest": true});
        assert_eq!(rows(run, csr, person, &events, sql).await, [expected], "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_completed_in_whatever_order_it_is_told_and_the_earliest_tellings_count() {
    for run in RUNS {
        let mut csr = Csr::new();
        let (person, mut events) = (csr.id(), Vec::new());
        for order in orders(4) {
            let request = csr.id();
            let told: Vec<Value> = [
                ("opened", "openedAt", 1),
                ("opened", "openedAt", 2),
                ("completed", "completedAt", 3),
                ("completed", "completedAt", 4),
            ]
            .iter()
            .map(|(what, field, day)| {
                let mut data = json!({"requestId": request, "userId": person, "requestType": "portability"});
                data[field] = json!(format!("2026-01-0{day}T00:00:00Z"));
                csr.event(&format!("privacy.request.{what}"), data)
            })
            .collect();
            events.extend(order.iter().map(|place| told[*place].clone()));
        }
        let sql = "select distinct status, created_at at time zone 'UTC' as created_at,
            completed_at at time zone 'UTC' as completed_at from dsar_requests";
        let expected = json!({"status": "completed", "created_at": "2026-01-01T00:00:00",
            "completed_at": "2026-01-03T00:00:00"});
        assert_eq!(rows(run, csr, person, &events, sql).await, [expected], "{run:?}");
    }
}
