//! `milepost publish`: a log, one event per line, to JetStream.
//!
//! Each line is published on the subject that equals its type, and waited for until JetStream has it. Its
//! `Nats-Msg-Id` is `<event id>:<publication>:<line>`: a line that is sent again after a lost answer or an
//! interruption is recognised by the broker, while two lines of the log with the same event stay two messages, as
//! publishers in the field send them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use uuid::Uuid;

use crate::error::Failure;
use crate::line::address;
use crate::retry::Pause;

/// Lines sent and not yet confirmed.
const IN_FLIGHT_MAX: usize = 2048;
/// Lines between two notes of how far we are.
const LINES_PER_NOTE: u64 = 5000;
/// Tries for one line before giving up.
const TRIES_MAX: usize = 10;

/// Arguments of `milepost publish`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File with one event per line; without it, stdin
    file: Option<PathBuf>,
    /// Where to note how far it is, to go on there after an interruption [default: FILE.publishing]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Subject for lines whose type cannot be read; without it they are skipped and reported
    #[arg(long)]
    subject: Option<String>,
}

/// How far a publication is.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    publication: Uuid,
    lines: u64,
}

/// Publishes a log.
///
/// # Errors
/// When the log cannot be read, or NATS does not take it.
pub async fn run(nats_url: &str, args: &Args) -> Result<ExitCode, Failure> {
    let state_path = args.state.clone().or_else(|| {
        let mut name = args.file.as_ref()?.clone().into_os_string();
        name.push(".publishing");
        Some(PathBuf::from(name))
    });
    let state = load(state_path.as_deref())?;
    let client = async_nats::connect(nats_url).await.with_context(|| "cannot connect to NATS")?;
    let mut publisher = Publisher {
        context: jetstream::new(client),
        fallback: args.subject.clone(),
        bar: progress_bar(args.file.as_deref())?,
        in_flight: VecDeque::new(),
        confirmed: state.lines,
        state,
        state_path,
        repeated: 0,
        skipped: 0,
    };
    match &args.file {
        Some(path) => {
            let file = tokio::fs::File::open(path).await.with_context(|| format!("cannot read {}", path.display()))?;
            publisher.publish_all(BufReader::with_capacity(1 << 20, file)).await?;
        }
        None => publisher.publish_all(BufReader::with_capacity(1 << 20, tokio::io::stdin())).await?,
    }
    Ok(publisher.finish())
}

fn load(path: Option<&Path>) -> anyhow::Result<State> {
    let fresh = State { publication: Uuid::new_v4(), lines: 0 };
    let Some(text) = path.and_then(|path| std::fs::read_to_string(path).ok()) else {
        return Ok(fresh);
    };
    let state: State = serde_json::from_str(&text).with_context(|| {
        format!("cannot read {}\n  hint: delete it to begin anew", path.unwrap_or_else(|| Path::new("")).display())
    })?;
    eprintln!("going on after line {}", state.lines);
    Ok(state)
}

fn progress_bar(file: Option<&Path>) -> anyhow::Result<ProgressBar> {
    let length = file.and_then(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.len());
    let (bar, style) = match length {
        Some(length) => (ProgressBar::new(length), "{bar:40} {bytes}/{total_bytes} {eta} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {msg}"),
    };
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}

struct Publisher {
    context: Context,
    fallback: Option<String>,
    bar: ProgressBar,
    in_flight: VecDeque<Sent>,
    confirmed: u64,
    state: State,
    state_path: Option<PathBuf>,
    repeated: u64,
    skipped: u64,
}

/// A line that JetStream has not confirmed yet.
struct Sent {
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    answer: Option<PublishAckFuture>,
}

impl Publisher {
    async fn publish_all(&mut self, mut lines: impl AsyncBufRead + Unpin) -> anyhow::Result<()> {
        let mut number = 0;
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.context("cannot read the log")? > 0 {
            number += 1;
            self.bar.inc(line.len() as u64);
            let payload = Bytes::copy_from_slice(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
            if number > self.state.lines && !payload.is_empty() {
                self.send(number, payload).await?;
            }
            if number.is_multiple_of(LINES_PER_NOTE) {
                self.confirm_down_to(0).await?;
                self.note(number)?;
            }
        }
        self.confirm_down_to(0).await?;
        self.confirmed = number;
        Ok(())
    }

    async fn send(&mut self, number: u64, payload: Bytes) -> anyhow::Result<()> {
        let (subject, id) = address(&payload);
        let Some(subject) = subject.or_else(|| self.fallback.clone()) else {
            self.skipped += 1;
            eprintln!("line {number}: no type that could be a subject, skipped");
            return Ok(());
        };
        let mut headers = HeaderMap::new();
        let id = id.map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
        headers.insert("Nats-Msg-Id", format!("{id}:{}:{number}", self.state.publication));
        let mut sent = Sent { subject, headers, payload, answer: None };
        sent.answer = self.transmit(&sent).await.ok();
        self.in_flight.push_back(sent);
        self.confirm_down_to(IN_FLIGHT_MAX).await
    }

    async fn transmit(&self, sent: &Sent) -> anyhow::Result<PublishAckFuture> {
        let sending =
            self.context.publish_with_headers(sent.subject.clone(), sent.headers.clone(), sent.payload.clone());
        Ok(sending.await?)
    }

    /// Waits for answers until so many are outstanding.
    async fn confirm_down_to(&mut self, outstanding: usize) -> anyhow::Result<()> {
        while self.in_flight.len() > outstanding {
            let Some(sent) = self.in_flight.pop_front() else {
                break;
            };
            self.repeated += u64::from(self.confirm(sent).await?);
        }
        Ok(())
    }

    /// Waits for the answer to one line, sending it again as long as there is none. True: JetStream knew it already.
    async fn confirm(&self, mut sent: Sent) -> anyhow::Result<bool> {
        let mut pause = Pause::default();
        let mut failure = anyhow::anyhow!("not sent");
        for _ in 0..TRIES_MAX {
            if sent.answer.is_none() {
                sent.answer = self.transmit(&sent).await.map_err(|error| failure = error).ok();
            }
            if let Some(answer) = sent.answer.take() {
                match answer.await {
                    Ok(ack) => return Ok(ack.duplicate),
                    Err(error) => failure = error.into(),
                }
            }
            tokio::time::sleep(pause.longer().max(Duration::from_millis(100))).await;
        }
        let hint = "is there a stream for this subject? run `milepost streams apply`";
        Err(failure.context(format!("JetStream does not take {:?}\n  hint: {hint}", sent.subject)))
    }

    fn note(&mut self, lines: u64) -> anyhow::Result<()> {
        self.confirmed = lines;
        if lines <= self.state.lines {
            return Ok(());
        }
        self.state.lines = lines;
        self.bar.set_message(format!("{lines} lines"));
        if let Some(path) = &self.state_path {
            // Written beside and moved: an interruption leaves the old note or the new one.
            let beside = path.with_extension("publishing.new");
            std::fs::write(&beside, serde_json::to_string(&self.state)?)?;
            std::fs::rename(&beside, path)?;
        }
        Ok(())
    }

    fn finish(self) -> ExitCode {
        self.bar.finish_and_clear();
        if let Some(path) = self.state_path.filter(|path| path.exists())
            && let Err(error) = std::fs::remove_file(&path)
        {
            eprintln!("cannot remove {}: {error}", path.display());
        }
        eprintln!("published {} lines, {} of them known to JetStream", self.confirmed - self.skipped, self.repeated);
        if self.skipped > 0 {
            eprintln!("skipped {} lines without a type\n  hint: give --subject to publish them", self.skipped);
            return ExitCode::from(1);
        }
        ExitCode::SUCCESS
    }
}
