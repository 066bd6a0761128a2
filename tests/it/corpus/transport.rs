//! What the wire may do: headers of every kind, no reply subject, bytes that must be kept as they came.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Csr, World};

/// Speaks the protocol itself, to send what no client library would.
fn send(world: &World, subject: &str, headers: &[u8], payload: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", world.nats.port())).expect("NATS listens");
    let total = headers.len() + payload.len();
    let command = match headers.len() {
        0 => format!("PUB {subject} {total}\r\n"),
        length => format!("HPUB {subject} {length} {total}\r\n"),
    };
    let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n";
    let all = [connect.as_slice(), command.as_bytes(), headers, payload, b"\r\nPING\r\n"].concat();
    stream.write_all(&all).expect("NATS takes it");
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "PONG")), "NATS has read all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_every_kind_do_no_harm() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let sections: [&[u8]; 7] = [
        b"",
        b"NATS/1.0\r\n\r\n",
        b"NATS/1.0\r\nNats-Msg-Id: one\r\nNats-Msg-Id: two\r\n\r\n",
        b"NATS/1.0\r\nNats-Stream: FORGED\r\nNats-Sequence: 999\r\nNats-Subject: x\r\ntraceparent: x\r\n\r\n",
        b"NATS/1.0\r\nEmpty:\r\nSpaces:    a  b   \r\n\r\n",
        b"NATS/1.0\r\nA: 1\r\na: 2\r\nA: 3\r\n\r\n",
        b"NATS/1.0\r\nNul: a\0b\r\n\r\n",
    ];
    for section in sections {
        let id = csr.id();
        let person = csr.person(id);
        send(&world, "ingest.directory.synced", section, person.to_string().as_bytes());
        send(&world, "ingest.directory.synced", section, format!("broken {id}").as_bytes());
    }
    let large = [b"NATS/1.0\r\nLarge: ", "h".repeat(60_000).as_bytes(), b"\r\n\r\n"].concat();
    send(&world, "ingest.directory.synced", &large, b"broken with a large header");
    let received = world.jetstream().await.get_stream("CSR").await.expect("the stream").cached_info().state.messages;
    let summary = world.drain(&[]);
    assert_eq!(summary["received"], received, "{summary}");
    assert_eq!(world.prove()["received"], received);
    // One of the broken ones has the `Nats-Msg-Id` of a healthy one: JetStream itself takes it for a repetition.
    assert_eq!((&summary["applied"], &summary["dead_letters"]), (&json!(sections.len()), &json!(sections.len())));
    let sizes = world.number("select max(length(headers::text)) from dead_letters").await;
    assert!(sizes > 60_000, "{sizes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_content_is_one_dead_letter_with_its_bytes_and_headers() {
    let world = World::new().await;
    let bytes = b"\xff\0\x01 not an event {\"email\":\"ada@example.org\"}";
    let section = b"NATS/1.0\r\nSource: a\r\nSource: b\r\nTrace: t\r\n\r\n";
    let mut csr = Csr::new();
    send(&world, "buddy.checkin.completed", section, bytes);
    let id = csr.id();
    world.publish_events(&[csr.person(id)]).await;
    send(&world, "buddy.checkin.completed", b"", bytes);
    send(&world, "buddy.event.logged", b"", bytes);
    assert_eq!(world.drain(&[])["dead_letters"], 3);
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 2, "equal content on another subject is another: {letters:?}");
    let letter = letters.iter().find(|letter| letter["count"] == 2).expect("one that came twice");
    assert_eq!((&letter["count"], &letter["first_seq"], &letter["last_seq"]), (&json!(2), &json!(1), &json!(3)));
    assert_eq!((&letter["subject"], &letter["reason"]), (&json!("buddy.checkin.completed"), &json!("not_utf8")));

    let number = letter["id"].to_string();
    let shown: Value =
        serde_json::from_str(&world.succeed(&["dead-letters", "show", &number, "--json"])).expect("JSON");
    let kept = STANDARD.decode(shown["payload_base64"].as_str().expect("base64")).expect("base64");
    assert_eq!(kept, bytes);
    assert_eq!(shown["headers"], json!({"Source": ["a", "b"], "Trace": ["t"]}));
    assert_eq!((&shown["payload"], &shown["event_id"]), (&Value::Null, &Value::Null));
    assert!(!world.succeed(&["dead-letters", "list", "--json"]).contains("ada@"));
    world.prove();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_stand_in_the_event_store_as_they_were_written() {
    let world = World::new().await;
    let mut csr = Csr::new();
    let literals = ["9007199254740993", "1234567890123456789012345678901234567890", "18446744073709551616", "0.10"];
    for literal in literals {
        let event = csr.event("buddy.hug.given", json!({"n": "@"})).to_string().replace("\"@\"", literal);
        send(&world, "buddy.hug.given", b"", event.as_bytes());
    }
    let tiny = csr.event("buddy.hug.given", json!({"n": "@"})).to_string().replace("\"@\"", "1e-99999");
    send(&world, "buddy.hug.given", b"", tiny.as_bytes());
    assert_eq!(world.drain(&[])["unrouted"], 5);
    let stored = world.rows("select payload #>> '{data,n}' as n from event_log order by stream_sequence").await;
    let stored: Vec<&str> = stored.iter().filter_map(|row| row["n"].as_str()).collect();
    assert_eq!(&stored[..4], literals);
    assert_eq!(stored[4].parse::<f64>(), Ok(0.0), "too small for a double: it is 0");
}
