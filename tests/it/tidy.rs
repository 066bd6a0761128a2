//! The rules of the house that a compiler does not know, held by reading the source.

use std::path::{Path, PathBuf};

/// The synthetic log generator speaks of the domain on purpose.
const GENERATOR: &str = "src/cli/generate";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, ending: &str, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, ending, files);
        } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
            let name = path.strip_prefix(root()).expect("inside").to_str().expect("a name").to_owned();
            files.push((name, std::fs::read_to_string(&path).expect("a text")));
        }
    }
}

/// Files below a folder, by their path in the repository, with their text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root().join(folder), ending, &mut files);
    files.sort();
    files
}

/// Source files and, of each, the code before its unit tests.
fn sources() -> Vec<(String, String)> {
    let code = |text: String| text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
    files("src", ".rs").into_iter().map(|(name, text)| (name, code(text))).collect()
}

#[test]
fn the_engine_knows_no_domain_word() {
    let words = ["csr", "buddy", "kintell", "upskilling", "volunteer", "mentor", "enrollment"];
    for (name, text) in sources().into_iter().filter(|(name, _)| !name.starts_with(GENERATOR)) {
        for word in words {
            assert!(!text.to_lowercase().contains(word), "{name} speaks of {word:?}");
        }
    }
}

#[test]
fn each_client_library_belongs_to_its_edge() {
    let homes: [(&str, &[&str]); 5] = [
        ("async_nats", &["src/source.rs", "src/source/", "src/topology.rs", "src/cli/publish.rs", "src/cli.rs"]),
        ("sqlx::", &["src/store.rs", "src/store/"]),
        ("clickhouse::", &["src/sink.rs", "src/sink/"]),
        ("backoff::", &["src/retry.rs"]),
        ("axum::", &["src/http.rs"]),
    ];
    for (library, homes) in homes {
        for (name, text) in sources() {
            let is_home = homes.iter().any(|home| name.starts_with(home));
            assert!(is_home || !text.contains(library), "{name} uses {library}, which belongs to {homes:?}");
        }
    }
}

#[test]
fn the_core_does_no_io() {
    // Each module that src/lib.rs lists below that heading.
    let library = std::fs::read_to_string(root().join("src/lib.rs")).expect("a source file");
    let (_, core) = library.split_once("// core").expect("a heading");
    let (core, _) = core.split_once("\n\n").expect("an end");
    let core: Vec<_> = core.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(["domain", "journey", "projection"].iter().all(|module| core.contains(module)), "{core:?}");
    // A stream folder is on disk.
    for (name, text) in sources().into_iter().filter(|(name, _)| name != "src/domain/files.rs") {
        let is_core =
            core.iter().any(|module| name == format!("src/{module}.rs") || name.starts_with(&format!("src/{module}/")));
        let forbidden = ["tokio", "async fn", "sqlx", "async_nats", "tracing::", "metrics::", "std::fs", "Utc::now"];
        for word in forbidden {
            assert!(!is_core || !text.contains(word), "{name} is core and uses {word}");
        }
    }
}

#[test]
fn files_are_one_thought() {
    for (name, text) in files("src", ".rs").into_iter().chain(files("tests", ".rs")).chain(files("benches", ".rs")) {
        let lines = text.lines().count();
        assert!(lines <= 400, "{name} has {lines} lines");
        for word in ["utils", "helpers", "manager", "common"] {
            assert!(!name.contains(word), "{name}: name it by what it is");
        }
    }
}

#[test]
fn tests_do_not_sleep_and_nothing_is_left_open() {
    let sleep = concat!("sle", "ep(");
    for (name, text) in files("tests", ".rs") {
        assert!(!text.contains(sleep), "{name} waits by sleeping");
    }
    for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ign", "ore")] {
        for (name, text) in files("src", ".rs").into_iter().chain(files("tests", ".rs")) {
            assert!(!text.contains(word), "{name} has a {word}");
        }
    }
}

#[test]
fn every_metric_and_every_table_of_the_engine_is_documented() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).expect("a document");
    let (readme, architecture) = (read("README.md"), read("ARCHITECTURE.md"));
    for line in read("src/metrics.rs").lines().filter(|line| line.contains(": &str = \"milepost_")) {
        let name = line.split('"').nth(1).expect("a name");
        assert!(readme.contains(name), "README.md does not explain {name}");
    }
    // What no event of the domain fills is the engine's; these are filled by nobody, or say what happened.
    let settings: toml::Table = read("streams/csr/stream.toml").parse().expect("settings");
    let others = ["webhook_deduplication", "api_request_deduplication", "identity_merges", "identity_merge_losses"];
    let is_domain = |table: &str| settings["tables"].get(table).is_some() || others.contains(&table);
    let is_forward = |(name, _): &(String, String)| !name.ends_with(".down.sql");
    let mut explained = 0;
    for (name, text) in files("migrations/postgres", ".sql").into_iter().filter(is_forward) {
        for line in text.lines().filter_map(|line| line.strip_prefix("create table ")) {
            let table = line.split_whitespace().next().unwrap_or_default();
            if table.ends_with("_default") || is_domain(table) {
                continue;
            }
            assert!(architecture.contains(&format!("`{table}`")), "ARCHITECTURE.md does not explain {table} of {name}");
            explained += 1;
        }
    }
    assert!(explained > 25, "{explained} tables");
}

#[test]
fn every_test_file_that_the_architecture_names_exists() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a document");
    let (_, invariants) = architecture.split_once("## Invariants").expect("a section");
    let (invariants, _) = invariants.split_once("## Walkthroughs").expect("a section");
    for name in invariants.split('`').filter(|name| name.ends_with(".rs")) {
        assert!(root().join("tests/it").join(name).exists(), "there is no tests/it/{name}");
    }
}
