//! Tables made anew from the event store: the same, or it is told what differs; and put in place under load.

mod acceptance;

use std::process::Output;

use serde_json::Value;

use crate::support::World;

/// A log that holds everything: duplicates, disorder, things told twice.
pub(crate) const LOG: [&str; 8] = ["--people", "150", "--shuffle", "0.2", "--duplicates", "0.1", "--retellings", "0.05"];

impl World {
    /// A world in which a generated log has had its effect.
    async fn with_log(arguments: &[&str]) -> Self {
        let world = Self::new().await;
        world.publish(&world.generate(arguments)).await;
        world.drain(&["--workers", "2"]);
        world
    }

    /// `rebuild --all --diff --json`; gives the exit code and what it said.
    fn compare(&self, more: &[&str]) -> (Option<i32>, Value) {
        judged(&self.output(&[&["rebuild", "--all", "--diff", "--json"], more].concat()))
    }

    /// Rebuilding everything makes no difference.
    #[track_caller]
    fn is_as_rebuilt(&self) -> Value {
        let (code, built) = self.compare(&["--values"]);
        assert_eq!(code, Some(0), "{built:#}");
        assert_eq!((&built["differences"], &built["lacks"]["events"]), (&Value::Array(Vec::new()), &0.into()), "{built:#}");
        built
    }
}

#[track_caller]
fn judged(output: &Output) -> (Option<i32>, Value) {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), serde_json::from_str(stdout.trim()).unwrap_or_else(|_| panic!("no JSON: {stdout}{stderr}")))
}
