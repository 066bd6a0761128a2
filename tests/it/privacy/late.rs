//! What comes after the erasure, or before it, or beside it.

use std::collections::BTreeSet;

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::life::{EMAIL, Life, directory, external, flagged, reviewed, shared, with};
use super::{CANARY, derived};
use crate::support::{BLOCKED, Csr, World, assert_same, chance, seeds};

/// What is told of her when she is erased already: by all of her names, and of what she did.
fn late(csr: &mut Csr, life: &Life) -> Vec<Value> {
    let [other_match, other_session, other_share, other_flag] = [0; 4].map(|_| csr.id());
    let said = with(csr.checkin(other_match), json!({"notes": CANARY, "questionResponses": {"who?": "Canary"}}));
    let checkin: Uuid = said["data"]["checkinId"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    vec![
        external(csr, "okta", "canary-1", EMAIL),                      // the external id
        external(csr, "okta", "canary-1", "canary.third@example.org"), // the external id, another e-mail
        external(csr, "azure_ad", "canary-2", EMAIL),                  // the e-mail, from another system
        external(csr, "azure_ad", "canary-2", "canary.fourth@example.org"), // what that system says besides
        directory(csr, "bamboohr", "canary-3", "canary.fifth@example.org", Some(life.ada)), // the CSR id
        with(csr.checkin(life.matched), json!({"notes": CANARY})),
        // The id that follows from her e-mail still means her.
        csr.matched(other_match, derived(EMAIL), life.bo),
        said,
        with(csr.logged(other_match), json!({"description": CANARY, "location": CANARY})),
        flagged(csr, other_flag, checkin),
        reviewed(csr, other_flag, life.bo),
        csr.scheduled(other_session, [life.bo, life.ada]),
        with(csr.rated(other_session, "volunteer", 0.5), json!({"feedbackText": CANARY})),
        // She is replaced: what was said in the meantime is gone all the same.
        csr.scheduled(other_session, [life.bo, life.bo]),
        shared(csr, other_share, life.bo, life.ada),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_told_of_the_erased_later_brings_nothing_back() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.publish_events(&[life.erased(&mut csr)]).await;
    world.drain(&["--batch", "1"]);
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::new());
    let tombstone = format!("select to_jsonb(users) - 'journey_flags' as it from users where id = '{}'", life.ada);
    let erased = world.rows(&tombstone).await;
    for event in late(&mut csr, &life) {
        world.publish_events(std::slice::from_ref(&event)).await;
        let summary = world.drain(&[]);
        assert_eq!((&summary["applied"], &summary["dead_letters"]), (&json!(1), &json!(0)), "{event}: {summary}");
        assert_eq!(world.tables_with(CANARY).await, BTreeSet::new(), "{event}");
        assert_eq!(world.rows(&tombstone).await, erased, "{event}");
    }
    assert_eq!(world.number("select count(*) from users").await, 2, "nobody is made");
    assert_eq!(world.number("select count(*) from user_external_ids").await, 1, "Bo's");
    let of_company = format!("select count(*) from company_memberships where user_id = '{}'", life.ada);
    assert_eq!(world.number(&of_company).await, 8, "whom they belonged to stays known");
    world.prove();
    world.is_as_rebuilt();
}

/// The erasure is alone in its batch, as it is in the service.
#[tokio::test(flavor = "multi_thread")]
async fn whenever_somebody_is_erased_the_tables_are_the_same() {
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    let erasure = life.erased(&mut csr);
    let mut events = life.events.clone();
    events.extend(late(&mut csr, &life));
    let usual = World::new().await;
    usual.publish_events(&events).await;
    usual.drain(&[]);
    usual.publish_events(std::slice::from_ref(&erasure)).await;
    usual.drain(&[]);
    let expected = usual.dump().await;
    assert_eq!(usual.tables_with(CANARY).await, BTreeSet::new());
    usual.is_as_rebuilt();

    for (number, seed) in seeds(6).into_iter().enumerate() {
        let mut chance = chance(seed);
        // At the very beginning, in the order of the stream; then anywhere.
        let place = if number == 0 { 0 } else { chance.random_range(0..=events.len()) };
        if number > 0 {
            events.shuffle(&mut chance);
        }
        let (before, after) = events.split_at(place);
        let world = World::new().await;
        // What several workers tell at the same moment about one thing that was erased is a known limit.
        let workers = "1";
        for part in [before, std::slice::from_ref(&erasure), after] {
            world.publish_events(part).await;
            world.drain(&["--workers", workers, "--batch", "3"]);
        }
        eprintln!("erased after {place} of {} events, {workers} workers", events.len());
        assert_same(&expected, &world.dump().await);
        world.prove();
        world.is_as_rebuilt();
    }
}

/// A check-in is written, and not committed, while somebody of its match is erased.
#[tokio::test(flavor = "multi_thread")]
async fn words_that_are_being_written_meanwhile_go_too() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let life = Life::new(&mut csr);
    world.publish_events(&life.events).await;
    world.drain(&[]);
    // Its row is there, and nobody of the match is locked yet.
    let wait = "create function wait() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock(7); return null; end $$";
    world.execute(wait).await;
    world.execute("create trigger wait after insert on buddy_checkins execute function wait()").await;
    let mut holder = world.postgres().await;
    let mut holder = holder.begin().await.expect("a transaction");
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *holder).await.expect("a lock");
    let running = world.start(&["--only", "project", "--workers", "2", "--batch", "1"]);
    let said = with(csr.checkin(life.matched), json!({"notes": CANARY}));
    world.publish_events(&[said]).await;
    world.reaches(BLOCKED, |blocked| blocked == 1);
    world.publish_events(&[life.erased(&mut csr)]).await;
    let is_erased = "select count(*) from subject_keys where destroyed_at is not null";
    world.reaches(&format!("select (({BLOCKED}) = 2 or ({is_erased}) > 0)::int"), |either| either == 1);
    holder.commit().await.expect("let go");
    let all = i64::try_from(life.events.len() + 2).expect("a number");
    world.reaches(crate::support::HANDLED, |handled| handled == all);
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::new());
    running.kill();
}
