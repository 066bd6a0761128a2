//! History from a file: a log, one event per line, plain or compressed. Read and decoded in a thread of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use bytes::Bytes;
use chrono::{SubsecRound as _, Utc};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{Page, Reached};
use crate::batch::{Batch, Message};
use crate::decode::decode;
use crate::domain::Domain;
use crate::line::address;
use crate::replay::selection::{Dated, Selection};

/// Longest part of a line that is kept: no broker takes more, and every gate refuses it.
const LINE_BYTES_MAX: usize = 8 << 20;
/// Most payload bytes of one page.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Most lines looked at for one page; most of them may be left out by a filter.
const PAGE_LINES_MAX: u64 = 5000;
/// Bytes at the beginning of a file by which it is known again.
const HEAD_BYTES: u64 = 64 << 10;
/// What stands for the subject of a line that names no type.
const SUBJECT_UNKNOWN: &str = "unknown";

/// A log to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// A file.
    File {
        /// Its canonical path.
        path: PathBuf,
        /// Bytes on disk.
        size: u64,
        /// By what it is known again: path, size and first bytes.
        identity: String,
    },
    /// Whatever comes through stdin.
    Stdin,
}

/// Pages of a log, decoded ahead of their use.
pub(super) struct Reader {
    pages: mpsc::Receiver<anyhow::Result<Page>>,
    /// Bytes read from the disk so far.
    pub(super) bytes_read: Arc<AtomicU64>,
}

impl Log {
    /// Looks at a file.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let metadata = path.metadata()?;
        if !metadata.is_file() {
            // Of a pipe, what is read to know it again would be gone.
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no file; `-` takes what comes through stdin",
            ));
        }
        let file = File::open(&path)?;
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        let size = metadata.len();
        let identity = format!("file {}, {size} bytes, {:x}", path.display(), Sha256::digest(&head));
        Ok(Self::File { path, size, identity })
    }
}

impl Reader {
    /// Begins to read where an earlier replay was.
    pub(super) fn begin(
        log: &Log,
        reached: Reached,
        domain: Arc<Domain>,
        selection: Selection,
        events_max: usize,
    ) -> anyhow::Result<Self> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let mut lines = Lines::open(log, reached, Arc::clone(&bytes_read))?;
        // One page waits decoded while another commits.
        let (sender, pages) = mpsc::channel(1);
        std::thread::Builder::new().name("replay-reader".into()).spawn(move || {
            loop {
                let page = lines.page(&domain, &selection, events_max);
                let is_last = !matches!(page, Ok(Some(_)));
                let Some(page) = page.transpose() else {
                    return;
                };
                if sender.blocking_send(page).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(Self { pages, bytes_read })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Page>> {
        self.pages.recv().await.transpose()
    }
}

/// The lines of a log and how far they were read.
struct Lines {
    name: String,
    text: Box<dyn BufRead + Send>,
    reached: Reached,
    /// An error after lines that are still to be handed out.
    broken: Option<anyhow::Error>,
}

impl Lines {
    fn open(log: &Log, reached: Reached, bytes_read: Arc<AtomicU64>) -> anyhow::Result<Self> {
        let (name, raw): (String, Box<dyn Read + Send>) = match log {
            Log::Stdin => ("stdin".into(), Box::new(io::stdin())),
            Log::File { path, .. } => {
                let name = path.display().to_string();
                let mut file = File::open(path).with_context(|| format!("cannot read {name}"))?;
                let mut head = Vec::new();
                Read::by_ref(&mut file).take(4).read_to_end(&mut head)?;
                let from = if Compression::of(&head).is_some() { 0 } else { reached.bytes };
                file.seek(SeekFrom::Start(from))?;
                bytes_read.store(from, Ordering::Relaxed);
                if from > 0 {
                    let text = Box::new(BufReader::with_capacity(1 << 16, Counted { inner: file, bytes_read }));
                    return Ok(Self { name, text, reached, broken: None });
                }
                (name, Box::new(file))
            }
        };
        let mut text = uncompressed(Counted { inner: raw, bytes_read })?;
        // A compressed log has no place to jump to: what was replayed is unpacked again, and passed over.
        let passed = io::copy(&mut Read::take(&mut text, reached.bytes), &mut io::sink());
        let passed = passed.with_context(|| format!("{name} cannot be read up to line {}", reached.position))?;
        anyhow::ensure!(passed == reached.bytes, "{name} ends before line {}, where it was left", reached.position);
        Ok(Self { name, text, reached, broken: None })
    }

    /// Some lines as messages; `None` at the end. What comes before a fault is handed out before the fault.
    fn page(&mut self, domain: &Domain, selection: &Selection, events_max: usize) -> anyhow::Result<Option<Page>> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let mut page = Page::default();
        let (mut bytes, mut lines) = (0, 0);
        let mut messages = Vec::new();
        while messages.len() < events_max && bytes < PAGE_BYTES_MAX && lines < PAGE_LINES_MAX {
            let line = match self.line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            };
            lines += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            page.read += 1;
            let message = message(domain, line);
            if selection.takes(&message, Dated::ByEvent) {
                bytes += message.payload.len();
                messages.push(message);
            } else {
                page.skipped += 1;
            }
        }
        if lines == 0 {
            return self.broken.take().map_or(Ok(None), Err);
        }
        (page.batch, page.reached) = (Batch { messages }, self.reached);
        Ok(Some(page))
    }

    /// The next line without its end; of an endless one the beginning.
    fn line(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let number = self.reached.position + 1;
        let mut line = Vec::new();
        let mut length: u64 = 0;
        loop {
            let buffer = match self.text.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let name = &self.name;
                    return Err(anyhow::Error::new(error).context(format!(
                        "{name} is cut off or damaged in line {number}; what comes before has been replayed\n  \
                         hint: get the whole file and replay it; nothing takes effect twice"
                    )));
                }
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = end.map_or(buffer.len(), |end| end + 1);
            let room = LINE_BYTES_MAX.saturating_sub(line.len());
            line.extend_from_slice(&buffer[..part.min(room)]);
            let is_end = end.is_some() || part == 0;
            self.text.consume(part);
            length += part as u64;
            if is_end {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        self.reached = Reached { position: number, bytes: self.reached.bytes + length };
        for end in [b'\n', b'\r'] {
            if line.last() == Some(&end) {
                line.pop();
            }
        }
        Ok(Some(line))
    }
}

/// A line as a message: it belongs on the subject that equals its type, as `milepost publish` sends it.
fn message(domain: &Domain, line: Vec<u8>) -> Message {
    let payload = Bytes::from(line);
    let subject = address(&payload).0.unwrap_or_else(|| SUBJECT_UNKNOWN.to_owned());
    Message {
        content: decode(domain, &subject, &payload),
        subject,
        payload,
        headers: None,
        sequence: None,
        published_at: Utc::now().trunc_subsecs(6),
    }
}

/// How a log is compressed, by its first bytes.
enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or one of those that are to be passed over.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The text of a log, whatever it is compressed with.
fn uncompressed(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut head = Vec::new();
    Read::by_ref(&mut raw).take(4).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(raw));
    Ok(match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => {
            Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(whole)))
        }
        Some(Compression::Zstd) => {
            Box::new(BufReader::with_capacity(1 << 16, zstd::stream::read::Decoder::with_buffer(whole)?))
        }
    })
}

/// Counts what is read, for the time that is left.
struct Counted<R> {
    inner: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
