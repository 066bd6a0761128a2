//! A proxy before Postgres that counts round trips: every `Sync` and every simple query that the client sends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Starts it; gives its port and the counter.
pub(crate) fn start(postgres: String) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::new(AtomicU64::new(0));
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
fn forward(mut client: TcpStream, mut server: TcpStream, count: &AtomicU64) {
    let mut is_first = true;
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
        if !is_first && matches!(head[0], b'S' | b'Q') {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // An SSL request is answered and followed by the real start.
        let is_ssl_request = is_first && length == 8;
        is_first = is_first && is_ssl_request;
    }
}
