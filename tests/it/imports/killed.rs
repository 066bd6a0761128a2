//! An import that is killed, and run again.

use std::io::{Read as _, copy, sink};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::files::write;
use super::{import, messages};
use crate::support::{World, eventually};

const PEOPLE: u32 = 4000;
/// More than an import has in flight, and less than all of it.
const BYTES_CARRIED: u64 = 1_200_000;

/// A way to NATS that carries so many bytes and none after them, in the middle of an event: whoever publishes on it comes
/// so far and no further. Its address.
fn way_that_ends(world: &World) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("nats://{}", listener.local_addr().expect("an address"));
    let mut server = TcpStream::connect(("127.0.0.1", world.nats.port())).expect("NATS answers");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let (mut answers, mut asking) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
        std::thread::spawn(move || copy(&mut answers, &mut asking));
        copy(&mut client.by_ref().take(BYTES_CARRIED), &mut server).expect("NATS takes it");
        copy(&mut client, &mut sink()) // until the client is dead
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_and_run_again_it_is_complete_and_once() {
    let world = World::new().await;
    let row = |number: u32| {
        let (id, mail) = (format!("20000000-0000-4000-8000-{number:012}"), format!("p{number}@example.org"));
        json!({"id": id, "email": mail, "firstName": "P", "updatedAt": "2025-11-01T00:00:00Z"}).to_string() + "\n"
    };
    let file = write(&world, "people.jsonl", (0..PEOPLE).map(row).collect::<String>().as_bytes());
    let mut importing = world.milepost(&["import", &file]);
    importing.env("NATS_URL", way_that_ends(&world));
    let mut child = importing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    block_in_place(|| {
        eventually("some of the events", || (Handle::current().block_on(messages(&world)) > 100).then_some(()));
    });
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    world.drain(&[]); // what it had sent still arrives
    let published = messages(&world).await;
    assert!(published < u64::from(PEOPLE), "killed too late: {published}");
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
