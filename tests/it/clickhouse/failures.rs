//! What the sink says about servers that are gone, silent, busy, or refuse.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use milepost::feed::Frame;
use milepost::sink::{Error, Settings, Sink};

use super::{SUMS, insert, lines};
use crate::support::{ClickHouse, Engine};

const NOON: &str = "2026-05-01 12:00:00.000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_or_silent_is_told_from_one_that_refuses() {
    let mut engine = Engine::start();
    let clickhouse = ClickHouse::on(&engine.url()).migrated();
    let sink = clickhouse.sink();
    sink.ping().await.expect("it answers");
    insert(&sink, lines(1..11, NOON), "first").await.expect("an insert");

    let hasty = sink.clone().with_deadline(Duration::from_millis(300));
    engine.fall_silent();
    let silent = insert(&hasty, lines(11..21, NOON), "second").await.expect_err("nobody answers");
    assert!(matches!(silent, Error::Silent { .. }), "{silent}");
    let silent = hasty.rows("select 1", &[]).await.expect_err("nobody answers");
    assert!(matches!(silent, Error::Silent { .. }), "{silent}");
    engine.go_on();
    insert(&sink, lines(11..21, NOON), "second").await.expect("an insert");

    engine.kill();
    for gone in [sink.ping().await, insert(&sink, lines(21..31, NOON), "third").await, sink.execute("select 1").await] {
        assert!(matches!(gone, Err(Error::Unavailable { .. })), "{gone:?}");
    }
    engine.start_again();
    insert(&sink, lines(21..31, NOON), "third").await.expect("an insert");
    insert(&sink, lines(11..21, NOON), "second").await.expect("a repeat");
    assert_eq!(clickhouse.lines(SUMS), ["(30,30,900,30)\t(30,30,900,30)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_do_and_nothing_about_rows() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    let missing =
        sink.insert("nowhere", &["a"], "TabSeparated", Frame::of(b"1\n"), &[]).await.expect_err("no such table");
    assert!(matches!(missing, Error::Fault { code: 60, hint: Some("run `milepost migrate`"), .. }), "{missing}");

    let line = "1\tada@example.org\n";
    let unread = sink
        .insert("events_raw", &super::COLUMNS, "TabSeparated", Frame::of(line.as_bytes()), &[])
        .await
        .expect_err("no row");
    let said = unread.to_string();
    assert!(said.contains("CANNOT_PARSE_") && !said.contains("ada"), "{said}");
    assert_eq!(clickhouse.number("select count() from events_raw"), 0);

    let late =
        sink.rows("select throwIf(number = 100000) from numbers(200000)", &[]).await.expect_err("fails in the middle");
    assert_eq!(late.code(), Some(395), "{late}");
    let wrong = sink.execute("select from from").await.expect_err("no SQL");
    assert!(matches!(wrong, Error::Fault { code: 62, .. }), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_too_much_to_do_is_busy() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    clickhouse.execute("alter table events_raw modify setting parts_to_throw_insert = 1, parts_to_delay_insert = 1");
    clickhouse.execute("system stop merges events_raw");
    insert(&sink, lines(1..11, NOON), "first").await.expect("an insert");
    let busy = insert(&sink, lines(11..21, NOON), "second").await.expect_err("too many parts");
    assert!(matches!(busy, Error::Busy { code: 252, .. }), "{busy}");
    let memory = [("max_memory_usage", "1000000")];
    let busy =
        sink.rows("select groupArray(number) from numbers(100000000)", &memory).await.expect_err("too much memory");
    assert!(matches!(busy, Error::Busy { code: 241, .. }), "{busy}");

    clickhouse.execute("alter table events_raw reset setting parts_to_throw_insert, parts_to_delay_insert");
    insert(&sink, lines(11..21, NOON), "second").await.expect("an insert");
    assert_eq!(clickhouse.lines(SUMS), ["(20,20,600,20)\t(20,20,600,20)"]);
}

/// A server that gives one answer to one request; gives its address and, later, the request.
fn canned(status: &'static str, body: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let (mut request, mut buffer) = (String::new(), [0; 4096]);
        while !request.contains("\r\n\r\n") {
            let length = client.read(&mut buffer).expect("a request");
            request.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        client.write_all((head + body).as_bytes()).expect("it takes the answer");
        request
    });
    (port, serving)
}

async fn ask(url: &str, user: Option<&str>, status: &'static str, body: &'static str) -> (Result<(), Error>, String) {
    let (port, serving) = canned(status, body);
    let (url, user) = (url.replace("PORT", &port.to_string()), user.map(str::to_owned));
    let settings = Settings { url, user, password: None, database: "d".into(), cluster: None };
    let answer = Sink::new(&settings).expect("an address").rows("select 1", &[]).await.map(|_| ());
    (answer, serving.join().expect("a request"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_said_in_headers_and_not_in_the_address() {
    let url = "http://ada%40home:s%3Acret@127.0.0.1:PORT/behind/a/proxy";
    let (answer, request) = ask(url, None, "200 OK", "1\n").await;
    answer.expect("an answer");
    let request = request.to_lowercase();
    assert!(request.starts_with("post /behind/a/proxy?") && request.contains("database=d"), "{request}");
    assert!(request.contains("x-clickhouse-user: ada@home\r\n"), "{request}");
    assert!(request.contains("x-clickhouse-key: s:cret\r\n"), "{request}");
    let (_, request) = ask(url, Some("grace"), "200 OK", "1\n").await;
    assert!(request.to_lowercase().contains("x-clickhouse-user: grace\r\n"), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_turns_into_an_exception_is_an_error_and_so_is_a_proxys_page() {
    let url = "http://127.0.0.1:PORT";
    let late = "1\n2\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED) (version 25.3.1 (official build))\n";
    let (answer, _) = ask(url, None, "200 OK", late).await;
    assert!(matches!(answer, Err(Error::Busy { code: 241, .. })), "{answer:?}");
    let (answer, _) = ask(url, None, "502 Bad Gateway", "<html>Bad Gateway</html>").await;
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
}
