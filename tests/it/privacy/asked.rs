//! What the commands ask: what to erase, what to hand out.

use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

use super::life::{EMAIL, Life};
use super::{CANARY, derived};
use crate::support::{Csr, World};

const ERASURE: &str = include_str!("../../../streams/csr/privacy/erased.sql");
const EXPORT: &str = include_str!("../../../streams/csr/privacy/export.sql");

/// What the query says of a person.
async fn erasure(world: &World, person: Uuid) -> Option<Value> {
    let row = sqlx::query(ERASURE)
        .bind(person)
        .bind(Uuid::nil())
        .bind(chrono::Utc::now())
        .fetch_optional(&mut world.postgres().await)
        .await
        .expect("an answer");
    row.map(|row| row.get(0))
}

async fn exported(world: &World, person: Uuid) -> Vec<(String, Value)> {
    let rows = sqlx::query(EXPORT).bind(person).fetch_all(&mut world.postgres().await).await.expect("an answer");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn sorted(list: &Value) -> Value {
    let mut list = list.as_array().expect("a list").clone();
    list.sort_by_key(Value::to_string);
    json!(list)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_erased_is_found_from_every_id() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    let event = life.erased(&mut csr);
    for id in [life.ada, derived(EMAIL)] {
        let found = erasure(&world, id).await.expect("somebody");
        assert_eq!(found["userId"], json!(life.ada));
        for list in ["identities", "aliases"] {
            assert_eq!(found[list], sorted(&event["data"][list]), "{list}");
        }
    }
    assert_eq!(erasure(&world, csr.id()).await, None);
    world.publish_events(&[event]).await;
    world.drain(&[]);
    let found = erasure(&world, derived(EMAIL)).await.expect("somebody of whom nothing is known");
    assert_eq!((&found["userId"], &found["identities"]), (&json!(life.ada), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_handed_out_without_the_words_of_others() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    let all = exported(&world, life.ada).await;
    assert_eq!(all, exported(&world, derived(EMAIL)).await, "in the same order");
    let of = |wanted: &str| -> Vec<&Value> {
        all.iter().filter(|(section, _)| section == wanted).map(|(_, row)| row).collect()
    };
    assert_eq!(of("users")[0]["first_name"], "Canary");
    assert_eq!((of("user_external_ids").len(), of("user_emails").len()), (2, 2));
    assert_eq!(of("buddy_checkins")[0]["notes"], "[redacted]");
    assert_eq!(of("buddy_checkins")[0]["question_responses"], "[redacted]");
    for (section, column) in [
        ("buddy_feedback", "feedback_text"),
        ("kintell_ratings", "feedback_text"),
        ("safety_reviews", "notes"),
        ("safety_flags", "review_notes"),
    ] {
        assert_eq!(of(section)[0][column], "[redacted]", "{section}");
    }
    assert_eq!(of("outcome_scores")[0]["score"], json!(0.5));
    assert_eq!(of("outcome_scores")[0].get("text_id"), None);
    let others =
        ["consents", "dsar_requests", "volunteering", "program_enrollments", "learning_progress", "buddy_events"];
    for section in others {
        assert!(!of(section).is_empty(), "{section}");
    }
    // Where her word still stands is hers alone.
    let hers = [
        "users",
        "user_external_ids",
        "user_emails",
        "external_id_mappings",
        "buddy_events",
        "learning_reports",
        "learning_progress",
    ];
    for (section, row) in &all {
        let is_told = row.to_string().to_lowercase().contains(CANARY);
        assert!(!is_told || hers.contains(&section.as_str()), "{section}: {row}");
    }
    // Of Bo nothing but the id.
    let told: String = all.iter().map(|(_, row)| row.to_string()).collect();
    assert!(told.contains(&life.bo.to_string()) && !told.contains(&format!("{}@", life.bo.simple())));
    assert!(!told.contains("Byron"), "a name of somebody else");
    assert_eq!(exported(&world, csr.id()).await, Vec::new());
}
