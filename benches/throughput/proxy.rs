//! A proxy before Postgres that counts what happens in transactions of batches: every `Sync` and every simple query that the
//! client sends is a round trip.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What went through.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// From `begin` to `commit`, both included.
    pub(crate) round_trips: AtomicU64,
    /// The most of one transaction.
    pub(crate) most: AtomicU64,
    /// Commits.
    pub(crate) transactions: AtomicU64,
}

/// Starts it; gives its port and the counters.
pub(crate) fn start(postgres: String) -> (u16, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::new(Counts::default());
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for client in listener.incoming().filter_map(Result::ok) {
            let server = TcpStream::connect(&postgres).expect("Postgres answers");
            client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).expect("sockets take options");
            let (mut from, mut to) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || forward(client, server, &counter));
        }
    });
    (port, count)
}

/// Messages of the client: a type byte and a length that counts itself; the first one has no type.
fn forward(mut client: TcpStream, mut server: TcpStream, counts: &Counts) {
    let (mut is_first, mut in_transaction, mut round_trips) = (true, false, 0);
    loop {
        let mut head = vec![0; if is_first { 4 } else { 5 }];
        if client.read_exact(&mut head).is_err() {
            return;
        }
        let length = head.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)).unwrap_or_default();
        let mut body = vec![0; (length as usize).saturating_sub(4)];
        if client.read_exact(&mut body).is_err() || server.write_all(&head).is_err() || server.write_all(&body).is_err()
        {
            return;
        }
        let query = if !is_first && head[0] == b'Q' { body.as_slice() } else { &[] };
        // A batch begins together with asking which rules are in force; what is derived later begins alone.
        in_transaction |= query.starts_with(b"begin;");
        if !is_first && in_transaction && matches!(head[0], b'S' | b'Q') {
            round_trips += 1;
        }
        if in_transaction && query == b"commit\0" {
            in_transaction = false;
            counts.round_trips.fetch_add(round_trips, Ordering::Relaxed);
            counts.most.fetch_max(std::mem::take(&mut round_trips), Ordering::Relaxed);
            counts.transactions.fetch_add(1, Ordering::Relaxed);
        }
        // An SSL request is answered and followed by the real start.
        let is_ssl_request = is_first && length == 8;
        is_first = is_first && is_ssl_request;
    }
}
