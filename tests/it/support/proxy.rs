//! A way to Postgres that can be cut: between the service and its database, understanding no more than it must.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A simple query with the text `commit`, as it goes over the wire.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

/// Listens on a port of its own until dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

#[derive(Default)]
struct Shared {
    upstream: String,
    is_closed: AtomicBool,
    replies_to_lose: AtomicUsize,
    replies_lost: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy to the server of this database URL.
    pub(crate) fn to(database_url: &str) -> Self {
        let (_, rest) = database_url.split_once('@').expect("a user");
        let (upstream, _) = rest.split_once('/').expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), ..Shared::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                drop(connect(&accepting, client));
            }
        });
        Self { shared, port }
    }

    /// The database URL that leads through here.
    pub(crate) fn url(&self, database_url: &str) -> String {
        database_url.replace(&self.shared.upstream, &format!("127.0.0.1:{}", self.port))
    }

    /// The next so many commits reach Postgres and take place; the connection is cut instead of answering.
    pub(crate) fn lose_replies(&self, count: usize) {
        self.shared.replies_to_lose.store(count, Ordering::SeqCst);
    }

    /// How many replies to a commit were lost.
    pub(crate) fn replies_lost(&self) -> usize {
        self.shared.replies_lost.load(Ordering::SeqCst)
    }

    /// Cuts what is open, and every new connection at once.
    pub(crate) fn close(&self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().expect("a list").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.shared.is_closed.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream) -> std::io::Result<()> {
    if shared.is_closed.load(Ordering::SeqCst) {
        return client.shutdown(Shutdown::Both);
    }
    let server = TcpStream::connect(&shared.upstream)?;
    shared.open.lock().expect("a list").extend([client.try_clone()?, server.try_clone()?]);
    let loses_reply = Arc::new(AtomicBool::new(false));
    let (loses, requests) = (Arc::clone(&loses_reply), (client.try_clone()?, server.try_clone()?));
    let (shared, counting) = (Arc::clone(shared), Arc::clone(shared));
    std::thread::spawn(move || {
        pump(requests.0, requests.1, |bytes| {
            if bytes.windows(COMMIT.len()).any(|part| part == COMMIT) {
                let one_less = |left: usize| left.checked_sub(1);
                let taken = shared.replies_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
                loses.fetch_or(taken.is_ok(), Ordering::SeqCst);
            }
            true
        });
    });
    std::thread::spawn(move || {
        pump(server, client, |_| {
            // Postgres answers: the commit has taken place.
            let is_lost = loses_reply.load(Ordering::SeqCst);
            counting.replies_lost.fetch_add(usize::from(is_lost), Ordering::SeqCst);
            !is_lost
        });
    });
    Ok(())
}

/// Carries bytes from one side to the other until one of them ends, or the given function says so.
fn pump(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !goes_on(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
