//! Events that got their contract only after they came, or have it no more.

use serde_json::json;

use crate::replay::store::{put_back, without_checkins};
use crate::support::Csr;

const CHECKINS: &str = "select count(*) from buddy_checkins";
const PROCESSED: &str =
    "select count(*) from event_log where event_type = 'buddy.checkin.completed' and processed_at is not null";

#[tokio::test(flavor = "multi_thread")]
async fn events_that_got_a_contract_have_their_whole_effect_and_keep_it_when_it_goes_back() {
    let (world, files) = without_checkins().await;
    let mut csr = Csr::new();
    let [ada, bob, matched, nobody] = [csr.id(), csr.id(), csr.id(), csr.id()];
    let mut refused = csr.checkin(matched);
    refused["data"]["mood"] = json!("difficult");
    let parents = [csr.person(ada), csr.person(bob), csr.matched(matched, ada, bob)];
    world.publish_events(&parents).await;
    world.publish_events(&[csr.checkin(matched), csr.checkin(matched), csr.checkin(nobody), refused]).await;
    assert_eq!(world.drain(&[])["unrouted"], 4);
    world.execute("alter table buddy_checkins add constraint never check (mood <> 'difficult')").await;
    put_back(&files);

    // In one table alone they would have half of it, and count as done.
    let output = world.output(&["rebuild", "buddy_checkins"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("replay --from log"), "{said}");
    assert_eq!((world.number(CHECKINS).await, world.number(PROCESSED).await), (0, 0));

    // What the database refuses, and what waits, has no effect to lose.
    for arguments in [["rebuild", "--all"], ["rebuild", "--rollback"], ["rebuild", "--all"]] {
        world.succeed(&arguments);
        assert_eq!((world.number(CHECKINS).await, world.number(PROCESSED).await), (2, 2), "{arguments:?}");
        let proof = world.prove();
        assert_eq!((&proof["applied"], &proof["unrouted"]), (&json!(5), &json!(2)), "{arguments:?}: {proof}");
    }
    world.succeed(&["rebuild", "buddy_checkins"]);
    assert_eq!(world.number(CHECKINS).await, 2);

    // Without its contract, what an event has done would be gone.
    for (file, _) in &files {
        std::fs::remove_file(file).expect("the contract is taken away");
    }
    let output = world.output(&["rebuild", "--all"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("no contract here any more"), "{said}");
    assert_eq!(world.number(CHECKINS).await, 2);
}
