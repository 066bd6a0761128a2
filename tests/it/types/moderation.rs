//! Safety flags and their reviews, in every order, and with reviewers who become known before or after them.

use milepost::derived_id::derived_id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::orders;
use crate::support::{Csr, World};

fn raised(csr: &mut Csr, flag: Uuid) -> Value {
    let (content, at) = (csr.id(), csr.tick());
    let data = json!({"flagId": flag, "contentId": content, "contentType": "message", "flagReason": "other",
        "confidence": 0.5, "requiresHumanReview": true, "raisedAt": at});
    csr.event("safety.flag.raised", data)
}

fn reviewed(csr: &mut Csr, flag: Uuid, reviewer: Uuid, decision: &str, completed_at: &str) -> Value {
    let review = csr.id();
    let data = json!({"reviewId": review, "flagId": flag, "reviewerId": reviewer, "decision": decision,
        "notes": decision, "completedAt": completed_at});
    csr.event("safety.review.completed", data)
}

const FLAGS: &str = "select review_status, review_notes, reviewed_by, reviewer_ref,
    reviewed_at at time zone 'UTC' as reviewed_at from safety_flags order by id";

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_the_latest_review_counts_and_names_who_is_known() {
    for run in [&["--batch", "1"][..], &["--batch", "1000"], &["--workers", "4", "--batch", "5"]] {
        let world = World::new().await;
        let mut csr = Csr::new();
        let (known, early) = (csr.id(), "2026-01-02T00:00:00Z");
        let mut events = vec![csr.person(known)];
        let mut expected = Vec::new();
        for order in orders(4) {
            let (flag, late, nobody) = (csr.id(), csr.id(), csr.id());
            let told = [
                raised(&mut csr, flag),
                // Told last, and yet the earlier one.
                reviewed(&mut csr, flag, late, "rejected", "2026-01-03T00:00:00Z"),
                reviewed(&mut csr, flag, nobody, "escalated", early),
                csr.person(late),
            ];
            events.extend(order.iter().map(|place| told[*place].clone()));
            expected.push(json!({"review_status": "rejected", "review_notes": "rejected", "reviewed_by": late,
                "reviewer_ref": late, "reviewed_at": "2026-01-03T00:00:00"}));
        }
        // One that nobody has reviewed, and one whose reviewer nobody knows.
        let (untouched, flag, nobody) = (csr.id(), csr.id(), csr.id());
        events.extend([raised(&mut csr, untouched), raised(&mut csr, flag)]);
        events.push(reviewed(&mut csr, flag, known, "escalated", early));
        let decisive = reviewed(&mut csr, flag, nobody, "approved", "2026-01-04T00:00:00Z");
        // The same review under another event id, and with another decision: it changes nothing.
        let mut again = decisive.clone();
        (again["metadata"]["id"], again["metadata"]["timestamp"]) = (json!(csr.id()), json!(csr.tick()));
        (again["data"]["decision"], again["data"]["completedAt"]) = (json!("rejected"), json!("2026-01-05T00:00:00Z"));
        events.push(decisive);
        expected.push(json!({"review_status": "pending", "review_notes": null, "reviewed_by": null,
            "reviewer_ref": null, "reviewed_at": null}));
        expected.push(json!({"review_status": "approved", "review_notes": "approved", "reviewed_by": null,
            "reviewer_ref": nobody, "reviewed_at": "2026-01-04T00:00:00"}));
        world.publish_events(&events).await;
        assert_eq!(world.drain(run)["applied"], events.len(), "{run:?}");
        world.publish_events(&[again]).await;
        assert_eq!(world.drain(run)["applied"], 1, "{run:?}");
        // Ids are counted up, so flags come in the order in which they were made.
        assert_eq!(world.rows(FLAGS).await, expected, "{run:?}");
        world.prove();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reviewed_is_named_as_soon_as_they_are_known() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (flag, reviewer) = (csr.id(), csr.id());
    let review = reviewed(&mut csr, flag, reviewer, "approved", "2026-01-02T00:00:00Z");
    // When the review has long been looked at, first under an id of the e-mail's making, then by the id that it names.
    let email = format!("{}@example.org", reviewer.simple());
    let data = json!({"externalId": "x", "source": "okta", "companyId": csr.company, "action": "created",
        "user": {"externalUserId": "x", "email": email, "firstName": "A", "lastName": "B"}});
    let told = [raised(&mut csr, flag), review, csr.event("external.user.synced", data), csr.person(reviewer)];
    for (event, by) in told.iter().zip([json!(null), json!(null), json!(null), json!(reviewer)]) {
        world.publish_events(std::slice::from_ref(event)).await;
        assert_eq!(world.drain(&[])["applied"], 1, "{event}");
        let flags = world.rows("select reviewed_by from safety_flags").await;
        assert_eq!(flags, [json!({ "reviewed_by": by })], "{event}");
    }
    assert_eq!(world.number("select count(*) from users").await, 1);
}

/// A review may name whoever made it by an id that they have no more, or had before anybody asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_who_gets_another_id_is_named_whether_it_came_before_the_review_or_after() {
    for order in orders(3) {
        let world = World::new().await;
        let mut csr = Csr::new();
        let (flag, reviewer) = (csr.id(), csr.id());
        let [first, second] = ["first", "second"].map(|name| format!("{name}@example.org"));
        let earlier = derived_id(&format!("milepost:user:{second}"));
        let user = json!({"externalUserId": "x", "email": second, "firstName": "A", "lastName": "B"});
        let data = json!({"externalId": "x", "source": "okta", "companyId": csr.company, "action": "created",
            "user": user});
        let [mut named, mut renamed] = [csr.person(reviewer), csr.person(reviewer)];
        (named["data"]["email"], renamed["data"]["email"]) = (json!(first), json!(second));
        let told = [
            reviewed(&mut csr, flag, earlier, "approved", "2026-01-02T00:00:00Z"),
            csr.event("external.user.synced", data),
            renamed, // the same person, as becomes known by this
        ];
        world.publish_events(&[raised(&mut csr, flag), named]).await;
        for place in &order {
            world.publish_events(std::slice::from_ref(&told[*place])).await;
            world.drain(&[]);
        }
        let flags = world.rows("select reviewed_by, reviewer_ref from safety_flags").await;
        assert_eq!(flags, [json!({"reviewed_by": reviewer, "reviewer_ref": earlier})], "{order:?}");
        assert_eq!(world.number("select count(*) from users").await, 1);
        world.is_as_rebuilt();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_waits_for_its_flag() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let (flag, reviewer) = (csr.id(), csr.id());
    world.publish_events(&[reviewed(&mut csr, flag, reviewer, "approved", "2026-01-02T00:00:00Z")]).await;
    assert_eq!(world.drain(&[])["waiting"], 1);
    let waits = world.rows("select entity, key from waiting_events").await;
    assert_eq!(waits, [json!({"entity": "flag", "key": flag})]);
    world.publish_events(&[raised(&mut csr, flag)]).await;
    assert_eq!(world.drain(&[])["released"], 1);
    assert_eq!(world.number("select count(*) from safety_flags where review_status = 'approved'").await, 1);
}
