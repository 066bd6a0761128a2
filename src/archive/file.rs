//! Files of an archive: written whole or not at all, and proved by reading them back.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::Manifest;

/// Level of compression: above it files become little smaller and writing them much slower.
const LEVEL: i32 = 9;

/// A file that is being written, under a temporary name.
pub(super) struct Writing {
    folder: PathBuf,
    name: String,
    lines: zstd::Encoder<'static, File>,
    content: Content,
}

/// What was written or read.
#[derive(Default)]
struct Content {
    lines: u64,
    hash: Sha256,
}

impl Content {
    fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.hash.update(line);
    }

    fn sha256(self) -> String {
        format!("{:x}", self.hash.finalize())
    }
}

impl Writing {
    pub(super) fn begin(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let path = folder.join(partial(name));
        let file = private(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut lines = zstd::Encoder::new(file, LEVEL)?;
        lines.include_checksum(true)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), lines, content: Content::default() })
    }

    pub(super) fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let line = format!("{text}\n");
        self.content.add(line.as_bytes());
        self.lines.write_all(line.as_bytes()).context("cannot write the archive")
    }

    /// Syncs the file, reads it back, and gives it its name; number and hash of its lines.
    pub(super) fn finish(self) -> anyhow::Result<(u64, String)> {
        self.lines.finish()?.sync_all()?;
        let path = self.folder.join(partial(&self.name));
        let (lines, sha256) = (self.content.lines, self.content.sha256());
        anyhow::ensure!(read_back(&path)? == (lines, sha256.clone()), "{} reads back otherwise", path.display());
        std::fs::rename(&path, self.folder.join(&self.name))?;
        Ok((lines, sha256))
    }
}

/// Whole documents are nobody's but the operator's. One that was left half written is made anew, with its rights.
fn private(path: &Path) -> std::io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes the manifest: from now on the file is an archive.
pub(super) fn publish(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let name = manifest_name(&manifest.file);
    let path = folder.join(partial(&name));
    let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(serde_json::to_string_pretty(manifest)?.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&path, folder.join(name))?;
    File::open(folder)?.sync_all().with_context(|| format!("cannot sync {}", folder.display()))
}

/// An archive of that name that was written before, if it is there and whole.
pub(super) fn find(folder: &Path, name: &str) -> anyhow::Result<Option<Manifest>> {
    let path = folder.join(manifest_name(name));
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let manifest = serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    verify(folder, &manifest)?;
    // Whoever wrote it may have been killed before it was on disk by its name.
    File::open(folder)?.sync_all().with_context(|| format!("cannot sync {}", folder.display()))?;
    Ok(Some(manifest))
}

/// Reads a file again and compares it with its manifest.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub fn verify(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let path = folder.join(&manifest.file);
    let (lines, sha256) = read_back(&path)?;
    anyhow::ensure!(
        lines == manifest.events && sha256 == manifest.sha256,
        "{} is not what its manifest says\n  hint: move both away and archive the month again",
        path.display()
    );
    Ok(())
}

fn read_back(path: &Path) -> anyhow::Result<(u64, String)> {
    let open = || -> std::io::Result<_> { Ok(BufReader::new(zstd::Decoder::new(File::open(path)?)?)) };
    let mut reader = open().with_context(|| format!("cannot read {}", path.display()))?;
    let (mut content, mut line) = (Content::default(), Vec::new());
    while reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", path.display()))? > 0 {
        content.add(&line);
        line.clear();
    }
    reader.read_to_end(&mut line)?;
    Ok((content.lines, content.sha256()))
}

fn partial(name: &str) -> String {
    format!("{name}.partial")
}

fn manifest_name(file: &str) -> String {
    format!("{file}.json")
}
