//! An import that is killed, and run again.

use std::process::Stdio;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::files::write;
use super::{import, messages};
use crate::support::{World, eventually};

const PEOPLE: u32 = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_and_run_again_it_is_complete_and_once() {
    let world = World::new().await;
    let row = |number: u32| {
        let (id, mail) = (format!("20000000-0000-4000-8000-{number:012}"), format!("p{number}@example.org"));
        json!({"id": id, "email": mail, "firstName": "P", "updatedAt": "2025-11-01T00:00:00Z"}).to_string() + "\n"
    };
    let file = write(&world, "people.jsonl", (0..PEOPLE).map(row).collect::<String>().as_bytes());
    let mut importing = world.milepost(&["import", &file]);
    let mut child = importing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    block_in_place(|| {
        eventually("some of the events", || (Handle::current().block_on(messages(&world)) > 100).then_some(()));
    });
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    let published = messages(&world).await;
    assert!(published < u64::from(PEOPLE), "killed too late: {published}");
    world.drain(&[]);
    assert_eq!(world.number("select count(*) from users").await, i64::try_from(published).expect("a number"));

    let (code, summary, said) = import(&world, &[&file]);
    assert_eq!((code, &summary["known"]), (Some(0), &json!(published)), "{said}");
    let left = u64::from(PEOPLE) - published;
    assert_eq!(summary["published"], left, "{summary}");
    world.drain(&[]);
    assert_eq!(messages(&world).await, u64::from(PEOPLE) + 1, "each once, and the file");
    assert_eq!(world.number("select count(*) from users").await, i64::from(PEOPLE));
    let outcomes = "select metadata->>'outcome' as outcome from audit_logs where action = 'import' order by created_at";
    let row = |outcome| json!({ "outcome": outcome });
    assert_eq!(world.rows(outcomes).await, [row("begun"), row("begun"), row("done")]);
    assert!(world.dead_letters().is_empty());
    assert_eq!(world.prove()["ok"], true);
}
