//! The stream once more: what the service has behind it, and nothing before it.

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::{Csr, World, assert_same};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_has_not_handled_is_left_to_it() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(5)).await;
    world.drain(&[]);
    world.publish_events(&csr.people(5)).await;
    let summary = world.replay(&["stream"]);
    assert_eq!((&summary["read"], &summary["duplicates"]), (&json!(5), &json!(5)), "{summary}");
    assert_eq!(world.drain(&[])["applied"], 5);
    assert_eq!(world.replay(&["stream"])["read"], 10);
    assert_eq!(world.prove()["applied"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_and_never_handled_is_made_up_for() {
    let world = World::new().await;
    let mut csr = Csr::new();
    world.publish_events(&csr.people(20)).await;
    let context = world.jetstream().await;
    let stream = context.get_stream("CSR").await.expect("the stream");
    let thief: PullConsumer = stream.get_consumer("milepost").await.expect("the consumer");
    let mut stolen = thief.fetch().max_messages(5).messages().await.expect("messages");
    while let Some(Ok(message)) = stolen.next().await {
        message.double_ack().await.expect("it is acknowledged");
    }
    world.drain(&[]);
    assert_eq!(world.output(&["prove"]).status.code(), Some(1), "5 are missing");
    let summary = world.replay(&["stream"]);
    assert_eq!((&summary["applied"], &summary["duplicates"]), (&json!(5), &json!(15)), "{summary}");
    let proof = world.prove();
    assert_eq!(
        (&proof["applied"], &proof["missing"], &proof["replayed"]),
        (&json!(20), &json!(0), &json!(0)),
        "{proof}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_deleted_from_the_stream_are_no_obstacle() {
    let world = World::new().await;
    world.publish_events(&Csr::new().people(10)).await;
    world.drain(&[]);
    let context = world.jetstream().await;
    let stream = context.get_stream("CSR").await.expect("the stream");
    for sequence in [1, 5, 9, 10] {
        stream.delete_message(sequence).await.expect("it is deleted");
    }
    assert_eq!(world.replay(&["stream"])["read"], 6);
    assert_eq!(world.replay(&["stream", "--from-sequence", "9"])["read"], 0);
    let durable = world.consumer().await;
    assert_eq!(durable.delivered.stream_sequence, 10, "the durable consumer knows nothing of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_books_had_lost_is_no_duplicate() {
    let world = World::new().await;
    let log = world.lines(&["--events", "300", "--shuffle", "0.3", "--duplicates", "0.1", "--poison", "0.05"]);
    for some in log.chunks(100) {
        world.publish_lines(some);
        world.drain(&["--batch", "100"]);
    }
    let (before, tables) = (world.prove(), world.dump().await);
    world.execute("delete from handled_sequences where incarnation is not null").await;
    world.replay(&["stream"]);
    assert_eq!(world.prove(), before);
    assert_same(&tables, &world.dump().await);
}

/// The letter has the bytes of the store, not those of the message.
#[tokio::test(flavor = "multi_thread")]
async fn what_died_when_it_was_released_and_has_its_effect_now_is_no_dead_letter() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let [ada, bob, matched] = [csr.id(), csr.id(), csr.id()];
    world.publish_events(&[csr.person(ada), csr.person(bob), csr.checkin(matched)]).await;
    assert_eq!(world.drain(&[])["waiting"], 1);
    world.execute("alter table buddy_checkins add constraint never check (false)").await;
    world.publish_events(&[csr.matched(matched, ada, bob)]).await;
    world.drain(&[]);
    assert_eq!(world.prove()["dead_letters"], 1);
    // Its record is lost and found again: it had waited.
    let before = world.prove();
    world.execute("delete from handled_sequences where incarnation is not null").await;
    world.drain_all(&["--only", "audit"]);
    assert_eq!(world.prove(), before);
    world.execute("alter table buddy_checkins drop constraint never").await;
    assert_eq!(world.replay(&["stream"])["applied"], 1);
    let proof = world.prove();
    assert_eq!((&proof["applied"], &proof["dead_letters"]), (&4.into(), &0.into()), "{proof}");
}
