//! A NATS server per test: a child process on a free port, with a store of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::eventually;

/// A running server; killed and its store removed when dropped.
pub(crate) struct Nats {
    child: Child,
    store: TempDir,
    port: u16,
}

impl Nats {
    pub(crate) fn start() -> Self {
        let store = tempfile::tempdir().expect("a temporary directory");
        let (child, port) = launch(store.path(), None);
        Self { child, store, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn store(&self) -> &Path {
        self.store.path()
    }

    /// SIGKILL, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server has ended");
    }

    /// Starts again on the same port with what is in the store.
    pub(crate) fn start_again(&mut self) {
        let (child, _) = launch(self.store.path(), Some(self.port));
        self.child = child;
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn launch(store: &Path, port: Option<u16>) -> (Child, u16) {
    let binary = std::env::var("MILEPOST_DEV_NATS_SERVER").expect("tests need servers: run `make test`");
    let ports = store.join("ports");
    drop(std::fs::remove_dir_all(&ports));
    std::fs::create_dir_all(&ports).expect("a directory for the port");
    let child = Command::new(binary)
        .args(["--addr", "127.0.0.1", "--jetstream", "--store_dir"])
        .arg(store.join("jetstream"))
        .args(["--port", &port.map_or_else(|| "-1".to_owned(), |port| port.to_string()), "--ports_file_dir"])
        .arg(&ports)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server starts");
    let port = wait_for_port(&ports);
    (child, port)
}

/// The server writes its ports into a file once it listens.
fn wait_for_port(ports: &Path) -> u16 {
    eventually("nats-server to say its port", || {
        let file: Option<PathBuf> =
            std::fs::read_dir(ports).ok().and_then(|mut files| Some(files.next()?.ok()?.path()));
        let listed = file.and_then(|file| std::fs::read_to_string(file).ok());
        let value = listed.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let url = value.and_then(|value| value["nats"][0].as_str().map(str::to_owned));
        url.and_then(|url| url.rsplit(':').next()?.parse().ok())
    })
}
