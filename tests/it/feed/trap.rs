//! A way to a server on which the test stops a chosen request at a chosen point: to kill who sent it just then, to cut
//! the connection, or to answer something else.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::{trapped_http, trapped_postgres};
use crate::support::eventually;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// The server has nothing of it.
    Before,
    /// The server has its head and nothing of its body (HTTP).
    Head,
    /// The server has half of its body (HTTP).
    Middle,
    /// The server has done it and answered; nobody has heard the answer.
    After,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for the test.
    Held,
    /// Its connection is cut.
    Cut,
    /// This is the answer (HTTP); the server's, if there is one, is lost.
    Answered(&'static str),
}

/// A request with these words, a number of times.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    words: &'static str,
    point: Point,
    fate: Fate,
    left: usize,
}

#[derive(Default)]
struct State {
    wanted: Option<Wanted>,
    caught: usize,
    /// Grows when the test decides about what is held.
    decisions: usize,
    is_cut: bool,
    seen: Vec<String>,
    answered: Vec<String>,
    open: Vec<TcpStream>,
}

/// What connections know.
pub(super) struct Shared {
    pub(super) upstream: String,
    state: Mutex<State>,
    changed: Condvar,
}

/// Listens on a port of its own until dropped.
pub(super) struct Trap {
    shared: Arc<Shared>,
    port: u16,
}

impl Trap {
    /// A way to a server that speaks HTTP.
    pub(super) fn to_clickhouse(url: &str) -> Self {
        let (_, host) = url.split_once("//").expect("an address");
        Self::listen(host.trim_end_matches('/'), trapped_http::serve)
    }

    /// A way to the server of this database URL.
    pub(super) fn to_postgres(database_url: &str) -> Self {
        let (_, rest) = database_url.split_once('@').expect("a user");
        Self::listen(rest.split_once('/').expect("a database").0, trapped_postgres::serve)
    }

    fn listen(upstream: &str, serve: fn(&Arc<Shared>, TcpStream, TcpStream)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { upstream: upstream.to_owned(), state: Mutex::default(), changed: Condvar::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&accepting.upstream) else {
                    drop(client.shutdown(Shutdown::Both));
                    continue;
                };
                let pair = [client.try_clone().expect("a socket"), server.try_clone().expect("a socket")];
                accepting.state().open.extend(pair);
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || serve(&shared, client, server));
            }
        });
        Self { shared, port }
    }

    /// The address that leads through here.
    pub(super) fn url(&self, url: &str) -> String {
        url.replace(&self.shared.upstream, &format!("127.0.0.1:{}", self.port))
    }

    /// The next so many requests with these words meet this fate at this point.
    pub(super) fn set(&self, words: &'static str, point: Point, fate: Fate, left: usize) {
        let mut state = self.shared.state();
        (state.wanted, state.caught) = (Some(Wanted { words, point, fate, left }), 0);
    }

    /// Waits until so many have met it since then.
    #[track_caller]
    pub(super) fn caught(&self, count: usize) {
        let wanted = format!("{:?}", self.shared.state().wanted);
        eventually(&format!("{count} of {wanted}"), || (self.shared.state().caught >= count).then_some(()));
    }

    /// What is held goes on.
    pub(super) fn let_go(&self) {
        self.decide(false);
    }

    /// What is held, and every other open connection, is cut.
    pub(super) fn cut(&self) {
        self.decide(true);
        for stream in self.shared.state().open.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn decide(&self, is_cut: bool) {
        let mut state = self.shared.state();
        state.wanted = None;
        state.decisions += 1;
        state.is_cut = is_cut;
        self.shared.changed.notify_all();
    }

    /// How many requests with these words there were.
    pub(super) fn count(&self, words: &str) -> usize {
        self.shared.state().seen.iter().filter(|request| request.contains(words)).count()
    }
}

impl Trap {
    /// Waits until the server has answered a request with these words.
    #[track_caller]
    pub(super) fn answered(&self, words: &str) {
        eventually(&format!("an answer to {words}"), || {
            self.shared.state().answered.iter().any(|request| request.contains(words)).then_some(())
        });
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }

    /// A request has come.
    pub(super) fn note(&self, request: &str) {
        self.state().seen.push(request.to_owned());
    }

    /// A request has come to a point: none, and it goes on; or what becomes of it instead.
    pub(super) fn at(&self, request: &str, point: Point) -> Option<Fate> {
        let mut state = self.state();
        if point == Point::After {
            state.answered.push(request.to_owned());
        }
        let wanted = state.wanted.as_mut()?;
        if wanted.left == 0 || wanted.point != point || !request.contains(wanted.words) {
            return None;
        }
        wanted.left -= 1;
        let fate = wanted.fate;
        state.caught += 1;
        if fate != Fate::Held {
            return Some(fate);
        }
        let before = state.decisions;
        let state = self.changed.wait_while(state, |state| state.decisions == before).expect("nobody panicked");
        state.is_cut.then_some(Fate::Cut)
    }
}
