//! People who are known by several ids: whoever is meant by one of them is erased with all of them.

use std::collections::BTreeSet;

use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::life::{directory, external, with};
use super::{CANARY, derived, erased};
use crate::support::{Csr, World, assert_same, chance, seeds};

const ONE: &str = "canary@example.org";
const TWO: &str = "canary.two@example.org";

/// Publishes in this order, the erasure alone, and gives the tables.
async fn told(events: &[&Value]) -> World {
    let world = World::new().await;
    for event in events {
        world.publish_events(std::slice::from_ref(*event)).await;
        world.drain(&[]);
    }
    assert_eq!(world.tables_with(CANARY).await, BTreeSet::new());
    assert!(world.dead_letters().is_empty(), "{:?}", world.dead_letters());
    world.prove();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_by_a_derived_id_goes_on_by_it_whenever_the_csr_id_becomes_known() {
    let mut csr = Csr::new();
    let [csr_id, bo, one, two] = [0; 4].map(|_| csr.id());
    let mut events = [
        external(&mut csr, "okta", "canary-1", ONE),
        directory(&mut csr, "adp", "canary-2", ONE, Some(csr_id)),
        csr.person(bo),
        csr.matched(one, derived(ONE), bo),
        with(csr.checkin(one), json!({"notes": CANARY})),
        csr.matched(two, bo, csr_id),
        with(csr.checkin(two), json!({"notes": CANARY})),
        erased(&mut csr, derived(ONE), &["okta canary-1"], &[ONE]),
    ];
    let usual = told(&events.iter().collect::<Vec<_>>()).await;
    let (expected, nowhere) = (usual.dump().await, format!("{}@erased.invalid", derived(ONE)));
    let people = "select id, email from users where email like '%invalid'";
    assert_eq!(usual.rows(people).await, [json!({"id": derived(ONE), "email": nowhere})]);
    usual.is_as_rebuilt();
    for seed in seeds(5) {
        events.shuffle(&mut chance(seed));
        let world = told(&events.iter().collect::<Vec<_>>()).await;
        assert_same(&expected, &world.dump().await);
        world.is_as_rebuilt();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_turns_out_to_be_the_erased_becomes_theirs() {
    let mut csr = Csr::new();
    let [ada, bo, one, two] = [0; 4].map(|_| csr.id());
    let mut events = vec![
        directory(&mut csr, "adp", "canary-1", ONE, Some(ada)),
        external(&mut csr, "okta", "canary-2", TWO), // nobody knows that this is her …
        csr.person(bo),
        csr.matched(one, ada, bo),
        external(&mut csr, "okta", "canary-2", ONE), // … until this says so
        csr.matched(two, bo, ada),
        with(csr.checkin(two), json!({"notes": CANARY})),
        csr.logged(one),
        erased(&mut csr, ada, &["adp canary-1"], &[ONE]),
    ];
    let usual = told(&events.iter().collect::<Vec<_>>()).await;
    let expected = usual.dump().await;
    assert_eq!(usual.number("select count(*) from users").await, 2);
    usual.is_as_rebuilt();
    for seed in seeds(5) {
        events.shuffle(&mut chance(seed));
        let world = told(&events.iter().collect::<Vec<_>>()).await;
        assert_same(&expected, &world.dump().await);
        world.is_as_rebuilt();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_e_mail_of_the_erased_with_another_csr_id_makes_nobody_known_and_is_listed() {
    let mut csr = Csr::new();
    let [ada, heir] = [0; 2].map(|_| csr.id());
    let events = [
        directory(&mut csr, "adp", "canary-1", ONE, Some(ada)),
        erased(&mut csr, ada, &["adp canary-1"], &[ONE]),
        directory(&mut csr, "adp", "heir-1", ONE, Some(heir)),
    ];
    let world = told(&events.iter().collect::<Vec<_>>()).await;
    let listed = "select kind, user_id, detail ->> 'external_id' as external_id from identity_conflicts";
    assert_eq!(
        world.rows(listed).await,
        [json!({"kind": "email_of_erased", "user_id": heir, "external_id": "heir-1"})]
    );
    // With an address of their own they are somebody.
    world.publish_events(&[directory(&mut csr, "adp", "heir-1", "heir@example.org", Some(heir))]).await;
    world.drain(&[]);
    let known = format!("select email, first_name from users where id = '{heir}'");
    assert_eq!(world.rows(&known).await, [json!({"email": "heir@example.org", "first_name": "Canary"})]);
    world.is_as_rebuilt();
}
