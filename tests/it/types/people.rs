//! Who people are and what they are called, as it follows from what they did and from the latest snapshot.

use serde_json::json;

use super::examples::{ADA, BOB, MATCH, directory, pair};
use super::{all_applied, same_rows, tell};
use crate::support::{Csr, World};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_helps_is_a_volunteer_even_when_they_are_helped_too() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let carl = "00000000-0000-4000-8000-00000000000c";
    for (id, name) in [(ADA, "ada"), (BOB, "bob"), (carl, "carl")] {
        tell(&world, &mut csr, "ingest.directory.synced", directory(id, name)).await;
    }
    let roles = "select role from users order by email";
    let role = |role: &str| json!({"role": role});
    all_applied(&world);
    same_rows(
        "nobody did anything",
        &world.rows(roles).await,
        &[role("company_user"), role("company_user"), role("company_user")],
    );
    tell(&world, &mut csr, "buddy.match.created", pair(MATCH)).await;
    all_applied(&world);
    same_rows("a match", &world.rows(roles).await, &[role("participant"), role("volunteer"), role("company_user")]);
    let other = csr.id();
    let mut turned = pair(&other.to_string());
    (turned["participantId"], turned["buddyId"]) = (json!(carl), json!(ADA));
    tell(&world, &mut csr, "buddy.match.created", turned).await;
    all_applied(&world);
    same_rows("helps too", &world.rows(roles).await, &[role("volunteer"), role("volunteer"), role("participant")]);
    let mut imported = directory(carl, "carl");
    (imported["sourceSystem"], imported["customFields"]) = (json!("manual"), json!({"importedRole": "admin"}));
    tell(&world, &mut csr, "ingest.directory.synced", imported).await;
    tell(&world, &mut csr, "ingest.directory.synced", directory(carl, "carl")).await;
    all_applied(&world);
    same_rows("imported", &world.rows(roles).await, &[role("volunteer"), role("volunteer"), role("admin")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_who_left_is_still_known_and_may_come_back() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let left = "select count(*) from company_users where left_at is not null";
    for (status, gone) in [("active", 0), ("terminated", 1), ("on_leave", 0), ("inactive", 0)] {
        let mut data = directory(ADA, "ada");
        data["status"] = json!(status);
        tell(&world, &mut csr, "ingest.directory.synced", data).await;
        all_applied(&world);
        assert_eq!(world.number(left).await, gone, "{status}");
        assert_eq!(world.number("select count(*) from users").await, 1, "{status}");
    }
    assert_eq!(world.number("select count(*) from company_memberships").await, 4);
}
