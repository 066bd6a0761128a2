//! A publisher that is none of ours: Node, the `nats` package, core publish, the nested envelope.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Csr, World};

/// Node of the development environment; npm comes with it.
fn node() -> PathBuf {
    std::env::var_os("MILEPOST_DEV_NODE").expect("tests need servers: run `make test`").into()
}

/// The publisher in a folder of its own, with its dependencies as the lock file has them.
fn install(folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/publishers/node");
    for file in [".npmrc", "package.json", "package-lock.json", "publish.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).expect(file);
    }
    let node = node();
    let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
    let done = Command::new(&node)
        .arg(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache"])
        .arg(folder.join("cache"))
        .current_dir(folder)
        .output()
        .expect("npm runs");
    assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
}

/// Gives it data to publish, a line each; returns once it has sent all of it.
fn publish(folder: &Path, url: &str, events: &[Value]) {
    let mut child = Command::new(node())
        .args(["publish.mjs", url])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    for event in events {
        writeln!(stdin, "{}", json!({"type": event["type"], "data": event["data"]})).expect("node reads");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("node ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), events.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platforms_own_publisher_sends_is_taken_unchanged() {
    let world = World::new().await;
    let folder = world.folder.path();
    install(folder);
    let mut csr = Csr::new();
    let (match_id, participant, buddy) = (csr.id(), csr.id(), csr.id());
    let mut events = vec![csr.person(participant), csr.person(buddy), csr.matched(match_id, participant, buddy)];
    events.extend((0..200).map(|number| if number % 2 == 0 { csr.checkin(match_id) } else { csr.logged(match_id) }));
    events.push(csr.ended(match_id, participant, buddy, "completed"));
    publish(folder, &world.nats.url(), &events);

    let summary = world.drain(&[]);
    assert_eq!((&summary["received"], &summary["applied"]), (&json!(events.len()), &json!(events.len())), "{summary}");
    assert_eq!(world.number("select count(*) from buddy_checkins").await, 100);
    assert_eq!(world.number("select count(*) from buddy_matches where status = 'ended'").await, 1);
    assert_eq!(world.number("select count(distinct correlation_id) from event_log where version = 'v1'").await, 204);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.prove()["ok"], true);
}
