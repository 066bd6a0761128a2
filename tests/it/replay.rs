//! Replaying history: from files, the stream and the event store. It changes nothing that is right, tells nobody, goes on
//! where it was killed, and leaves the books in order.

mod acceptance; // the whole, over live traffic, killed on the way
mod files; // what is in files, and what is wrong with them
mod history; // what has been taken stays as it is
mod kills; // SIGKILL on the way
mod rehearsal; // dry runs
mod selections; // filters, and how they are refused
mod silence; // what the outside is not told
pub(crate) mod store; // what was stored without effect
mod stream; // the stream once more
mod upcasts; // old shapes

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::World;

/// What is told to the outside, row by row.
const TOLD: &str = "select event_id, published_at, attempted_at from outbox order by position";
/// How far the only replay is that is not at its end; the row of one that ended keeps how far that came.
const REACHED: &str = "select coalesce(max(reached) filter (where ended_at is null), 0) from replays";
/// Replays that were begun and are not at their end.
const UNENDED: &str = "select count(*) from replays where ended_at is null";

/// How a log is packed.
#[derive(Debug, Clone, Copy)]
enum Packed {
    Plain,
    Gzip,
    Zstd,
}

impl World {
    /// `replay` with these arguments; gives the summary.
    #[track_caller]
    fn replay(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = ["replay", "--from"].iter().chain(arguments).copied().collect();
        serde_json::from_str(self.succeed(&all).trim()).expect("the summary is JSON")
    }

    /// A log in a file of this name.
    fn log(&self, name: &str, lines: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, lines).expect("a log");
        path
    }

    /// Events in a file of this name.
    fn log_of(&self, name: &str, events: &[Value]) -> PathBuf {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        self.log(name, lines.as_bytes())
    }

    /// A log with all troubles that a log can have.
    fn troubled_log(&self, events: usize, seed: u64) -> Vec<u8> {
        let [events, seed] = [events.to_string(), seed.to_string()];
        let troubles = ["--duplicates", "0.1", "--shuffle", "0.1", "--poison", "0.01"];
        self.succeed(&[&["generate", "--events", &events, "--seed", &seed], &troubles[..]].concat()).into_bytes()
    }

    /// Publishes a log and handles all of it.
    fn handle(&self, log: &Path) -> Value {
        self.succeed(&["publish", text(log)]);
        self.drain(&["--workers", "2"])
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn lines(log: &[u8]) -> usize {
    log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

fn packed(log: &[u8], how: Packed) -> Vec<u8> {
    match how {
        Packed::Plain => log.to_vec(),
        Packed::Gzip => {
            // Two members, as `cat a.gz b.gz` makes them.
            let halves = log.split_at(log.len() / 2);
            let member = |part: &[u8]| {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(part).expect("it is packed");
                encoder.finish().expect("it is packed")
            };
            [member(halves.0), member(halves.1)].concat()
        }
        Packed::Zstd => zstd::encode_all(log, 1).expect("it is packed"),
    }
}
