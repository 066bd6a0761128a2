//! A ClickHouse server of a test's own, which may be killed and stopped.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::eventually;

/// A running server; killed and its data removed when dropped.
pub(crate) struct Engine {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (child, port) = launch(folder.path(), 0);
        Self { child, folder, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGKILL, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server has ended");
    }

    /// Starts again on the same port with the same data.
    pub(crate) fn start_again(&mut self) {
        let (child, _) = launch(self.folder.path(), self.port);
        self.child = child;
    }

    /// Takes connections and says nothing (SIGSTOP).
    pub(crate) fn fall_silent(&self) {
        self.signal("STOP");
    }

    /// Goes on from there (SIGCONT).
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the server took {name}");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn launch(folder: &Path, port: u16) -> (Child, u16) {
    let python = std::env::var("MILEPOST_DEV_PYTHON").expect("tests need servers: run `make test`");
    let told = folder.join("port");
    drop(std::fs::remove_file(&told));
    let child = Command::new(python)
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/dev/clickhouse_gateway.py"), "--data"])
        .arg(folder.join("data"))
        .args(["--port", &port.to_string(), "--port-file"])
        .arg(&told)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the gateway starts");
    let port = eventually("the ClickHouse server to say its port", || {
        std::fs::read_to_string(&told).ok()?.trim().parse().ok()
    });
    (child, port)
}
