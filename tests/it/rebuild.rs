//! Tables made anew from the event store: the same, or it is told what differs; and put in place under load.

mod acceptance;
mod beside;
mod catalog;
mod differences;
mod killed;
mod routed;
mod swapped;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::World;

/// What a log holds besides events in their order: some come late, some twice, some things are told twice.
const DISORDER: [&str; 6] = ["--shuffle", "0.2", "--duplicates", "0.1", "--retellings", "0.05"];
/// A log that a test has the patience for.
const LOG: [&str; 4] = ["--events", "1500", "--people", "120"];

impl World {
    /// A world in which a generated log has had its effect.
    async fn with_log(arguments: &[&str]) -> Self {
        let world = Self::new().await;
        world.publish(&world.generate(arguments)).await;
        world.drain(&["--workers", "2"]);
        world
    }

    /// `rebuild` of these tables with `--json`; gives the exit code and what it said.
    fn rebuild(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        judged(&self.output(&[&["rebuild", "--json"], arguments].concat()))
    }

    /// The same, and the tables have changed places.
    #[track_caller]
    fn is_swapped_by(&self, arguments: &[&str]) -> Value {
        let (code, built) = self.rebuild(arguments);
        assert_eq!((code, &built["is_swapped"]), (Some(0), &true.into()), "{built:#}");
        built
    }

    /// Rebuilding everything makes no difference.
    #[track_caller]
    pub(crate) fn is_as_rebuilt(&self) -> Value {
        let (code, built) = self.rebuild(&["--all", "--diff", "--values"]);
        assert!(code == Some(0) && built["differences"] == Value::Array(Vec::new()), "{built:#}");
        assert_eq!(built["lacks"]["events"], 0, "{built:#}");
        built
    }

    /// A copy of the stream folder in which one file reads otherwise.
    fn folder_with(&self, file: &str, was: &str, is: &str) -> PathBuf {
        let folder = self.folder.path().join(uuid::Uuid::new_v4().to_string());
        let copied =
            Command::new("cp").args(["-R", concat!(env!("CARGO_MANIFEST_DIR"), "/streams/csr")]).arg(&folder).status();
        assert!(copied.expect("cp runs").success(), "the stream folder was copied");
        let text = std::fs::read_to_string(folder.join(file)).expect("a file of the folder");
        assert!(text.contains(was), "{file} says {was}");
        std::fs::write(folder.join(file), text.replace(was, is)).expect("a file of the folder");
        folder
    }
}

#[track_caller]
fn judged(output: &Output) -> (Option<i32>, Value) {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), serde_json::from_str(stdout.trim()).unwrap_or_else(|_| panic!("no JSON: {stdout}{stderr}")))
}

/// Tables that differ, each with its rows only there, only in the new one, and different.
fn tables(built: &Value) -> Vec<(String, [i64; 3])> {
    let number = |difference: &Value, name: &str| difference[name].as_i64().expect("a number");
    let one = |difference: &Value| {
        let counts = ["only_live", "only_rebuilt", "different"].map(|name| number(difference, name));
        (difference["table"].as_str().expect("a name").to_owned(), counts)
    };
    built["differences"].as_array().expect("a list").iter().map(one).collect()
}
