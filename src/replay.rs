//! Replaying history: from the event store, from a file, or from the stream, through the same pipeline as everything.
//!
//! An event that has been taken is a duplicate, so a replay changes nothing that is right already; what it meets for the
//! first time has its effect. The outside is not told of it, unless asked for. It is made of small transactions on a
//! connection of its own, and rests as long as each of them took, so that live traffic comes first. How far it is, is
//! noted after each: an interrupted one goes on there, and a batch that is repeated is one of duplicates.

mod counts;
mod effect;
pub mod file;
pub mod selection;
mod store;
mod stream;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use uuid::Uuid;

use crate::batch::{Batch, Telling};
use crate::derived_id::derived_id;
use crate::pipeline::Run;
use crate::release::release;
use crate::replay::effect::Effect;
use crate::source::Source;
use crate::store::{Connection, Incarnation, Line, Noted, Store};
pub use counts::{Counts, Progress, Summary};
use file::Log;
use selection::Selection;

/// The longest rest between two batches.
const REST_SECONDS_MAX: u64 = 5;
/// Notes of what is derived later, taken at once.
const TOUCHED_MAX: i64 = 2000;

/// Where history comes from.
#[derive(Debug, Clone)]
pub enum From {
    /// The event store: what was stored without effect and has a contract by now.
    Store,
    /// A log in a file, one event per line.
    File(Log),
    /// What the stream holds and the durable consumer has behind it.
    Stream {
        /// Where it is.
        source: Box<Source>,
        /// First sequence.
        first: Option<u64>,
        /// Last sequence.
        last: Option<u64>,
    },
}

/// What to replay, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where history comes from.
    pub from: From,
    /// Which events.
    pub selection: Selection,
    /// Whether the outside is told what it changes.
    pub telling: Telling,
    /// Only look what would become of it.
    pub is_rehearsal: bool,
    /// Begin at the beginning, also when it was interrupted.
    pub is_anew: bool,
    /// Most events of one transaction.
    pub events_max: usize,
}

/// Up to where history was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reached {
    /// Position, sequence or line.
    position: u64,
    /// Of a file, the bytes up to there, uncompressed.
    bytes: u64,
}

/// A part of history.
#[derive(Debug, Default)]
struct Page {
    /// Messages to process.
    batch: Batch,
    /// Instead, lines of the store.
    lines: Vec<Line>,
    read: u64,
    skipped: u64,
    reached: Reached,
}

enum Reader {
    File(file::Reader),
    Stream(Box<stream::Reader>),
    Store(store::Reader),
}

impl Reader {
    async fn next(&mut self, effect: &mut Effect) -> anyhow::Result<Option<Page>> {
        match self {
            Self::File(reader) => reader.next().await,
            Self::Stream(reader) => reader.next().await,
            Self::Store(reader) => reader.next(effect).await,
        }
    }

    /// How much of the way is done, and the whole of it.
    fn way(&self, options: &Options, reached: Reached) -> (u64, Option<u64>) {
        match (self, &options.from) {
            (Self::File(reader), From::File(Log::File { size, .. })) => {
                (reader.bytes_read.load(Ordering::Relaxed), Some(*size))
            }
            (Self::File(reader), _) => (reader.bytes_read.load(Ordering::Relaxed), None),
            (Self::Stream(reader), _) => (reached.position.saturating_sub(reader.before), Some(reader.length())),
            (Self::Store(reader), _) => (reached.position, Some(reader.last)),
        }
    }
}

impl From {
    /// By what the source is known again; nothing for one that cannot be read again.
    fn identity(&self, incarnation: Option<Incarnation>) -> Option<String> {
        match self {
            Self::Store => Some("log".into()),
            Self::File(Log::File { identity, .. }) => Some(identity.clone()),
            Self::File(Log::Stdin) => None,
            Self::Stream { first, last, .. } => {
                let created = incarnation.map(|incarnation| incarnation.0.to_rfc3339()).unwrap_or_default();
                Some(format!("stream created {created}, {first:?} to {last:?}"))
            }
        }
    }
}

impl Page {
    /// What can be said before it has its effect.
    fn counts(&self) -> Counts {
        Counts { read: self.read, skipped: self.skipped, ..Counts::default() }
    }
}

/// Replays. `tell` hears how far it is, after each batch.
///
/// # Errors
/// When history cannot be read to its end, or Postgres stays away; what was done until then stays done, and the same
/// replay goes on there.
pub async fn replay(store: &Store, options: &Options, tell: &mut dyn FnMut(&Progress)) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let mut connection = store.connect().await?;
    let incarnation = match &options.from {
        // Agreeing to read a stream is a change.
        From::Stream { source, .. } if options.is_rehearsal => Some(source.incarnation().await?),
        From::Stream { source, .. } => {
            let checked = crate::audit::check_stream(&mut connection, source).await?;
            Some(checked.map_err(anyhow::Error::msg)?)
        }
        From::Store | From::File(_) => None,
    };
    let identity = options.from.identity(incarnation).filter(|_| !options.is_rehearsal);
    let selection = options.selection.describe();
    let id = match &identity {
        Some(identity) => derived_id(&format!("milepost:replay:{identity}:{selection}:{:?}", options.telling)),
        None => Uuid::now_v7(),
    };
    let run = Run { id, incarnation, telling: options.telling, is_rehearsal: options.is_rehearsal };
    let (mut counts, mut reached) = (Counts::default(), Reached::default());
    if let Some(identity) = &identity {
        let noted = begin(&mut connection, id, (identity, &selection), options.is_anew).await?;
        counts = serde_json::from_value(noted.counts).context("the counts of an earlier run cannot be read")?;
        reached.position = u64::try_from(noted.reached).unwrap_or_default();
        reached.bytes = u64::try_from(noted.reached_bytes).unwrap_or_default();
        if reached != Reached::default() {
            tracing::info!(after = reached.position, "going on where it was interrupted");
        }
    }
    let mut effect = Effect::new(store.clone(), connection, run, identity.is_some());
    let mut reader = open(store, options, reached, &mut effect).await?;
    let before = counts.read;
    while let Some(page) = reader.next(&mut effect).await? {
        let beginning = Instant::now();
        counts += page.counts();
        reached = page.reached;
        counts += effect.of(page).await?;
        if identity.is_some() {
            effect.note(&noted(&counts, reached)?, false).await?;
        }
        let (done, of) = reader.way(options, reached);
        tell(&Progress { counts, read: counts.read - before, done, of });
        // As much time for others as was taken from them.
        tokio::time::sleep(beginning.elapsed().min(Duration::from_secs(REST_SECONDS_MAX))).await;
    }
    if !options.is_rehearsal {
        settle(&mut effect, &mut counts).await?;
    }
    if identity.is_some() {
        effect.note(&noted(&counts, reached)?, true).await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Summary { counts, seconds, dry_run: options.is_rehearsal, types: effect.into_report() })
}

async fn begin(connection: &mut Connection, id: Uuid, what: (&str, &str), is_anew: bool) -> anyhow::Result<Noted> {
    anyhow::ensure!(
        connection.may_replay(id).await?,
        "another process is at this replay\n  hint: wait for it, or end it; the replay then goes on where it was"
    );
    Ok(connection.begin_replay(id, what, is_anew).await?)
}

async fn open(store: &Store, options: &Options, reached: Reached, effect: &mut Effect) -> anyhow::Result<Reader> {
    let selection = options.selection.clone();
    let domain = Arc::clone(&store.domain);
    Ok(match &options.from {
        From::Store => Reader::Store(store::Reader::begin(effect, reached, selection, options.events_max).await?),
        From::File(log) => Reader::File(file::Reader::begin(log, reached, domain, selection, options.events_max)?),
        From::Stream { source, first, last } => {
            let reader = stream::Reader::begin(source, (*first, *last), reached, selection, options.events_max).await?;
            Reader::Stream(Box::new(reader))
        }
    })
}

fn noted(counts: &Counts, reached: Reached) -> anyhow::Result<Noted> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (reached, reached_bytes) = (number(reached.position), number(reached.bytes));
    Ok(Noted { reached, reached_bytes, counts: serde_json::to_value(counts)? })
}

/// What waited for something that came later is released, and what is derived later is derived, so that a replay is
/// complete without a service beside it.
async fn settle(effect: &mut Effect, counts: &mut Counts) -> anyhow::Result<()> {
    // Also where nothing was new: an earlier run may have been killed just before this.
    let id = effect.run.id;
    let mut died = 0;
    loop {
        let released = effect.persist(async |connection| release(connection, id).await).await?;
        died += released.dead_letters_of_run;
        if released.applied + released.dead_letters == 0 {
            break;
        }
    }
    while effect.persist(async |connection| connection.derive_later(TOUCHED_MAX).await).await?.unwrap_or_default() > 0 {
    }
    // What waited and waits no more was applied, by us or by the service, or turned out to be dead.
    let waiting = effect.persist(async |connection| connection.waiting_of(id).await).await?;
    let waiting = u64::try_from(waiting).unwrap_or_default().min(counts.waiting);
    let ended = counts.waiting - waiting;
    let died = died.min(ended);
    (counts.waiting, counts.applied) = (waiting, counts.applied + ended - died);
    counts.dead_letters += died;
    Ok(())
}
