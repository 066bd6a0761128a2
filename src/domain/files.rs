//! Where a stream folder comes from: the one compiled into the binary, or a folder on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

/// The stream folders of this repository; which of them there are, the engine does not know.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/streams");

/// Where to read the stream folder.
#[derive(Debug, Clone)]
pub enum Source {
    /// The one compiled in.
    BuiltIn,
    /// A folder with a `stream.toml`, or one whose only such subfolder is meant.
    Folder(PathBuf),
}

/// The text files of a stream folder, by their path in it.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<String, String>);

impl Source {
    /// Reads all files.
    ///
    /// # Errors
    /// When there is no such folder, or no `stream.toml` in it.
    pub fn read(&self) -> Result<Files, String> {
        match self {
            Self::BuiltIn => {
                let folder = built_in()?;
                let mut files = Files::default();
                embedded(folder.path(), folder, &mut files);
                Ok(files)
            }
            Self::Folder(folder) => {
                let root = root(folder)?;
                let mut files = Files::default();
                on_disk(&root, &root, &mut files).map_err(|error| format!("{}: {error}", root.display()))?;
                Ok(files)
            }
        }
    }
}

impl Files {
    /// These files, by path and text.
    #[cfg(test)]
    pub(super) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self(files.map(|(path, text)| (path.to_owned(), text.to_owned())).into())
    }

    /// The text of one file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The files in a folder with that ending, sorted by name.
    pub fn under<'f>(&'f self, folder: &'f str, ending: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let wanted = move |path: &String| path.starts_with(folder) && path.ends_with(ending);
        self.0.iter().filter(move |(path, _)| wanted(path)).map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// The only stream folder that is compiled in.
fn built_in() -> Result<&'static Dir<'static>, String> {
    let mut folders = BUILT_IN.dirs().filter(|dir| dir.contains(dir.path().join("stream.toml")));
    match (folders.next(), folders.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(several("the program")),
        (None, _) => Err("no stream folder is compiled in\n  hint: set MILEPOST_STREAMS to one".to_owned()),
    }
}

fn several(place: &str) -> String {
    format!("{place}: has several stream folders\n  hint: name one of them in MILEPOST_STREAMS")
}

fn embedded(root: &Path, dir: &Dir<'_>, files: &mut Files) {
    for file in dir.files() {
        let path = file.path().strip_prefix(root).ok().and_then(Path::to_str);
        if let (Some(path), Some(text)) = (path, file.contents_utf8()) {
            files.0.insert(path.to_owned(), text.to_owned());
        }
    }
    for inner in dir.dirs() {
        embedded(root, inner, files);
    }
}

fn root(folder: &Path) -> Result<PathBuf, String> {
    if folder.join("stream.toml").is_file() {
        return Ok(folder.to_owned());
    }
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut inner: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("stream.toml").is_file())
        .collect();
    match (inner.pop(), inner.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(several(&folder.display().to_string())),
        (None, _) => {
            Err(format!("{}: has no stream.toml\n  hint: set MILEPOST_STREAMS to a stream folder", folder.display()))
        }
    }
}

fn on_disk(root: &Path, folder: &Path, files: &mut Files) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            on_disk(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            let wanted = [".json", ".sql", ".toml"].iter().any(|ending| name.ends_with(ending));
            if wanted {
                files.0.insert(name.to_owned(), std::fs::read_to_string(&path)?);
            }
        }
    }
    Ok(())
}
