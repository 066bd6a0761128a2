//! A way to ClickHouse on which a statement can be held, before it arrives or before its answer does.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{World, eventually};

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The statement: it does not arrive.
    Statement,
    /// Its answer: it takes place, and nobody hears of it.
    Answer,
}

/// Listens on a port of its own; the first statement with the given text is held for ever.
pub(super) struct Way {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    text: String,
    held: Held,
    /// Statements with the text that were seen.
    seen: AtomicUsize,
    /// Answers that were held back, or statements.
    stopped: AtomicUsize,
}

impl Way {
    pub(super) fn holding(world: &World, text: &str, held: Held) -> Self {
        let upstream = world.analytics().url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { upstream, text: text.to_lowercase(), held, seen, stopped });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                drop(connect(&accepting, client));
            }
        });
        Self { url, shared }
    }

    /// Starts a command on this way, and gives it once its statement is held.
    #[track_caller]
    pub(super) fn started(&self, mut command: Command) -> Child {
        let mut child = command.env("CLICKHOUSE_URL", &self.url).spawn().expect("the binary starts");
        eventually(&format!("a statement with {}", self.shared.text), || {
            assert_eq!(child.try_wait().expect("its state"), None, "ended before {}", self.shared.text);
            (self.shared.stopped.load(Ordering::SeqCst) > 0).then_some(())
        });
        child
    }

    /// Kills a command in the middle of that statement.
    #[track_caller]
    pub(super) fn killed(&self, command: Command) {
        let mut child = self.started(command);
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream) -> std::io::Result<()> {
    let server = TcpStream::connect(&shared.upstream)?;
    let holds = Arc::new(AtomicUsize::new(0));
    let (asking, answering) = ((client.try_clone()?, server.try_clone()?), (server, client));
    let (there, back) = (Arc::clone(shared), Arc::clone(shared));
    let (mark, marked) = (Arc::clone(&holds), holds);
    std::thread::spawn(move || {
        pump(asking.0, asking.1, |bytes| {
            let text = String::from_utf8_lossy(bytes).to_lowercase();
            if !text.contains(&there.text) || there.seen.fetch_add(1, Ordering::SeqCst) > 0 {
                return true;
            }
            mark.store(1, Ordering::SeqCst);
            if there.held == Held::Statement {
                there.stopped.fetch_add(1, Ordering::SeqCst);
                return false;
            }
            true
        });
    });
    std::thread::spawn(move || {
        pump(answering.0, answering.1, |_| {
            let is_held = marked.load(Ordering::SeqCst) > 0;
            if is_held && back.held == Held::Answer {
                back.stopped.fetch_add(1, Ordering::SeqCst);
            }
            !is_held
        });
    });
    Ok(())
}

/// Carries bytes until one side ends. What is not to go on stays here, and the connections stay open.
fn pump(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !goes_on(&buffer[..length]) {
            // Until the other side has had enough.
            while from.read(&mut buffer).is_ok_and(|length| length > 0) {}
            break;
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
