//! `streams apply`: JetStream becomes what the file says where that is possible in place, and is left alone otherwise.

use std::process::Output;

use super::folder::edited;
use crate::support::World;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The verb must end with this code and say all of this.
#[track_caller]
fn ends(world: &World, verb: &str, code: i32, expected: &[&str]) {
    let output = world.output(&["streams", verb]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{verb}: {said}");
    for text in expected {
        assert!(said.contains(text), "{verb} does not say {text:?}:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_made_and_what_differs_is_changed() {
    let mut world = World::without_stream().await;
    ends(
        &world,
        "check",
        2,
        &["JetStream has no stream \"CSR\"", "JetStream has no consumer \"milepost\"", "milepost streams apply"],
    );
    ends(&world, "apply", 0, &["created stream \"CSR\"", "created consumer \"milepost\""]);
    ends(
        &world,
        "apply",
        0,
        &["stream \"CSR\" is as stream.toml says", "consumer \"milepost\" is as stream.toml says"],
    );
    ends(&world, "check", 0, &["JetStream is as stream.toml says"]);

    let edits = [
        ("stream.toml", "max_age = \"0s\"", "max_age = \"30d\""),
        ("stream.toml", "max_bytes = \"0B\"", "max_bytes = \"1GiB\""),
        ("stream.toml", "\"privacy.>\"", "\"privacy.>\", \"more.>\""),
        ("stream.toml", "ack_wait = \"60s\"", "ack_wait = \"90s\""),
        ("stream.toml", "max_ack_pending = 40000", "max_ack_pending = 500"),
        ("stream.toml", "filter_subjects = []", "filter_subjects = [\"buddy.>\", \"ingest.>\"]"),
    ];
    world.streams = Some(edited(world.folder.path(), &edits));
    let settings = [
        "stream.max_age",
        "stream.max_bytes",
        "stream.subjects",
        "consumer.ack_wait",
        "consumer.max_ack_pending",
        "consumer.filter_subjects",
    ];
    ends(&world, "check", 2, &settings);
    ends(&world, "apply", 0, &settings);
    ends(
        &world,
        "apply",
        0,
        &["stream \"CSR\" is as stream.toml says", "consumer \"milepost\" is as stream.toml says"],
    );
    let stream = world.jetstream().await.get_stream("CSR").await.expect("the stream");
    let config = &stream.cached_info().config;
    assert_eq!((config.max_age.as_secs(), config.max_bytes), (30 * 86_400, 1 << 30));
    assert!(config.subjects.iter().any(|subject| subject == "more.>"), "{:?}", config.subjects);
    let consumer = stream.consumer_info("milepost").await.expect("the consumer").config;
    assert_eq!((consumer.ack_wait.as_secs(), consumer.max_ack_pending), (90, 500));
    assert_eq!(consumer.filter_subjects, ["buddy.>", "ingest.>"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_in_place_is_refused_and_then_nothing_is_changed() {
    let mut world = World::new().await;
    let edits = [
        ("stream.toml", "storage = \"file\"", "storage = \"memory\""),
        ("stream.toml", "retention = \"limits\"", "retention = \"work_queue\""),
        ("stream.toml", "max_age = \"0s\"", "max_age = \"30d\""),
        ("stream.toml", "ack_wait = \"60s\"", "ack_wait = \"90s\""),
    ];
    world.streams = Some(edited(world.folder.path(), &edits));
    ends(
        &world,
        "apply",
        1,
        &["nothing was changed", "stream.storage is File, the file says Memory", "stream.retention"],
    );
    world.streams = None;
    ends(&world, "check", 0, &["JetStream is as stream.toml says"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_stream_with_our_subjects_is_named_as_the_likely_cause() {
    let world = World::without_stream().await;
    let config = async_nats::jetstream::stream::Config {
        name: "OTHER".into(),
        subjects: vec!["buddy.>".into()],
        ..Default::default()
    };
    world.jetstream().await.create_stream(config).await.expect("a stream");
    ends(&world, "apply", 1, &["creating stream \"CSR\"", "another stream may capture one of these subjects"]);
}
