//! The stream once more: what the service has behind it, and nothing before it.

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::{Csr, World};

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
