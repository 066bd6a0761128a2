//! A new generation of the tables in ClickHouse: built beside those that are read, verified, and put in their place.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::proof::{FeedProof, RANGES_AT_ONCE, prove};
use super::tenure::{FEED, REBUILD, Tenure};
use super::{Error, RAW, Target, Writer};
use crate::feed::RANGE_EVENTS_MAX;
use crate::sink::ranges::Difference;
use crate::sink::sums::AGGREGATED;
use crate::sink::{self, Sink};
use crate::store::{Connection, Store};

/// The tables of the generation that is being built, and after the exchange for a moment those of the one before.
const RAW_NEXT: &str = "events_raw_next";
const AGGREGATED_NEXT: &str = "events_aggregated_next";
const VIEW_NEXT: &str = "events_aggregated_next_view";
/// The tables of the generation before, until they are dropped.
const RAW_PREVIOUS: &str = "events_raw_previous";
const AGGREGATED_PREVIOUS: &str = "events_aggregated_previous";

/// How often it is looked whether transactions have ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What building led to.
#[derive(Debug, Clone)]
pub struct Built {
    /// The new generation.
    pub generation: i32,
    /// Events carried by this call; fewer than there are when an earlier call was killed on its way.
    pub events: i64,
    /// How long that took.
    pub seconds: f64,
    /// What was found when it was compared with the store.
    pub proof: FeedProof,
    /// How it differs from what was read, if that was asked.
    pub difference: Option<Difference>,
}

/// Builds the next generation, or goes on where an earlier call ended, and exchanges it for the current one when it is
/// proved to be right. The feed goes on meanwhile, but for the moment of the exchange.
///
/// # Errors
/// When one of the two databases fails, or somebody else is rebuilding.
pub async fn rebuild(
    store: &Store,
    sink: &Sink,
    is_exchanged: bool,
    is_compared: bool,
    progress: impl Fn(i64, i64),
) -> Result<Built, Error> {
    let [mut connection, mut renewing, mut feeding] =
        [store.connect_unhurried().await?, store.connect().await?, store.connect().await?];
    let Some(tenure) = Tenure::begin(&mut renewing, REBUILD, false).await? else {
        return Err(Error::Rebuilding);
    };
    let work = async {
        let began = Instant::now();
        if connection.exchanging_generation().await?.is_some() {
            // What is decided is finished first: the tables that it has beside are not to be built over.
            let feed = Tenure::demand(&mut feeding, FEED).await?;
            Box::pin(feed.during(&mut feeding, finish_exchange(&mut connection, sink, &feed))).await?;
        }
        let target = prepare(&mut connection, sink, &tenure).await?;
        let building = Writer { sink, target: &target, tenure: &tenure };
        let mut events = catch_up(&mut connection, building, &progress).await?;
        // From here on nobody else feeds: what is left is little.
        let feed = Tenure::demand(&mut feeding, FEED).await?;
        let finish = async {
            events += catch_up(&mut connection, building, &progress).await?;
            let proof = prove(&mut connection, sink, &target, None).await?;
            let difference = match is_compared {
                true => Some(compare(&mut connection, sink, &target).await?),
                false => None,
            };
            if is_exchanged && proof.problems.is_empty() {
                connection.begin_exchange(target.generation).await?;
                finish_exchange(&mut connection, sink, &feed).await?;
                for mirror in &connection.domain().mirrors {
                    Writer { tenure: &feed, ..building }.mirror_anew(&mut connection, mirror).await?;
                }
            }
            if !proof.problems.is_empty() {
                // Not to be gone on with: the next call begins anew.
                connection.abandon_generation(target.generation).await?;
            }
            Ok((proof, difference))
        };
        let (proof, difference) = Box::pin(feed.during(&mut feeding, finish)).await?;
        let seconds = began.elapsed().as_secs_f64();
        Ok(Built { generation: target.generation, events, seconds, proof, difference })
    };
    Box::pin(tenure.during(&mut renewing, work)).await
}

/// How the generation that was built differs from the one that is read, as far as both go.
async fn compare(connection: &mut Connection, sink: &Sink, target: &Target) -> Result<Difference, Error> {
    let current = connection.current_generation().await?;
    let up_to = connection.last_fed(current).await?.min(connection.last_fed(target.generation).await?);
    Ok(sink.difference([RAW, RAW_NEXT], &connection.domain().layout, up_to).await?)
}

/// The tables of the generation that is being built: those of an earlier call, or new ones.
async fn prepare(connection: &mut Connection, sink: &Sink, tenure: &Tenure) -> Result<Target, Error> {
    let generation = connection.building_generation().await?;
    let target = Target { generation, table: RAW_NEXT.to_owned(), aggregated: AGGREGATED_NEXT.to_owned() };
    let comment = comment(generation);
    let is_there = sink.comment(RAW_NEXT).await? == Some(comment.clone())
        && sink.comment(AGGREGATED_NEXT).await? == Some(comment.clone())
        && sink.exists(VIEW_NEXT).await?;
    // What was withdrawn from the store since, the feed has taken out of the tables that are read, and of no others.
    if !is_there || !connection.differing_from_store(generation).await?.is_empty() {
        tenure.fenced(sink, async |sink| sink.remove(VIEW_NEXT).await).await?;
        connection.forget_ranges(generation).await?;
        for (table, next) in [(RAW, RAW_NEXT), (AGGREGATED, AGGREGATED_NEXT)] {
            tenure.fenced(sink, async |sink| sink.make_like(table, next, &comment).await).await?;
        }
        let query = sink.aggregation(RAW_NEXT).await?;
        sink.make_view(VIEW_NEXT, AGGREGATED_NEXT, &query).await?;
    }
    Ok(target)
}

/// Carries everything that is settled.
async fn catch_up(connection: &mut Connection, writer: Writer<'_>, progress: &impl Fn(i64, i64)) -> Result<i64, Error> {
    let (generation, mut carried) = (writer.target.generation, 0);
    while let Some(range) = connection.first_unfed(generation).await? {
        writer.carry_until_there(connection, &range, false, trouble, is_for_people).await?;
        carried += range.events;
    }
    let mut horizon = connection.positions();
    let mut settled = horizon.advance(connection).await?;
    while settled == 0 && connection.unfed_events(generation).await? > 0 {
        // Somebody's transaction is still running.
        tokio::time::sleep(LOOK_EVERY).await;
        settled = horizon.advance(connection).await?;
    }
    while let Some(range) = writer.seal_next(connection, settled).await? {
        writer.carry_until_there(connection, &range, true, trouble, is_for_people).await?;
        carried += range.events;
        progress(range.last, settled);
        if range.events < RANGE_EVENTS_MAX {
            settled = horizon.advance(connection).await?.max(settled);
        }
    }
    Ok(carried)
}

fn trouble(error: &Error) {
    tracing::warn!(error = %error, "cannot carry a range into ClickHouse");
}

/// Whether trying again would only show the same: whoever rebuilds sits before it.
fn is_for_people(error: &Error) -> bool {
    !matches!(
        error,
        Error::NoTime
            | Error::Sink(sink::Error::Busy { .. } | sink::Error::Unavailable { .. } | sink::Error::Silent { .. })
    )
}

/// Replaces what happened in a span of time, in the tables that are read, by what the event store has; gives the number
/// of ranges and the partitions.
///
/// # Errors
/// When one of the two databases fails.
pub async fn rebuild_span(
    store: &Store,
    sink: &Sink,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Result<(usize, Vec<String>), Error> {
    let [mut connection, mut feeding] = [store.connect_unhurried().await?, store.connect().await?];
    let feed = Tenure::demand(&mut feeding, FEED).await?;
    let work = async {
        finish_exchange(&mut connection, sink, &feed).await?;
        let target = Target::current(&mut connection).await?;
        let moment = |at: DateTime<Utc>| format!("toDateTime64('{}', 6, 'UTC')", at.format("%Y-%m-%d %H:%M:%S%.6f"));
        let bounds = [
            since.map(|at| format!("event_time >= {}", moment(at))),
            until.map(|at| format!("event_time < {}", moment(at))),
        ];
        let condition = bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        let mut concerned = Vec::new();
        for ranges in connection.fed_ranges(target.generation, 0).await?.chunks(RANGES_AT_ONCE) {
            let all: Vec<(i64, i64)> = ranges.iter().map(|range| (range.first_position, range.last_position)).collect();
            concerned.extend(sink.ranges_with(&target.table, &all, &condition).await?);
        }
        let writer = Writer { sink, target: &target, tenure: &feed };
        let partitions = writer.replace(&mut connection, &concerned).await?;
        Ok((concerned.len(), partitions))
    };
    Box::pin(feed.during(&mut feeding, work)).await
}

/// Makes the generation whose exchange was decided the one that is read. Killed at any point, it is simply called again:
/// each table says of which generation it is.
///
/// # Errors
/// When one of the two databases fails.
pub async fn finish_exchange(connection: &mut Connection, sink: &Sink, tenure: &Tenure) -> Result<(), Error> {
    let Some(generation) = connection.exchanging_generation().await? else {
        return Ok(());
    };
    let wanted = Some(comment(generation));
    let before = connection.previous_generation().await?.map(comment);
    // Views follow names: the one of the tables that are read stays, that of the next ones has nothing to do any more.
    tenure.fenced(sink, async |sink| sink.remove(VIEW_NEXT).await).await?;
    for (table, next, previous) in [(RAW, RAW_NEXT, RAW_PREVIOUS), (AGGREGATED, AGGREGATED_NEXT, AGGREGATED_PREVIOUS)] {
        if sink.comment(table).await? != wanted {
            let from = if sink.comment(next).await? == wanted { next } else { previous };
            if sink.comment(from).await? != wanted {
                return Err(Error::Version(format!("there is no table {table} of generation {generation} to be read")));
            }
            tenure.fenced(sink, async |sink| sink.exchange(table, from).await).await?;
        }
        if before.is_some() && sink.comment(next).await? == before {
            tenure.fenced(sink, async |sink| sink.remove(previous).await).await?;
            tenure.fenced(sink, async |sink| sink.rename(next, previous).await).await?;
        }
    }
    connection.end_exchange(generation).await?;
    Ok(())
}

/// Goes back to the generation before; the feed then carries what it has missed since.
///
/// # Errors
/// [`Error::Version`] when there is none any more.
pub async fn roll_back(store: &Store, sink: &Sink) -> Result<i32, Error> {
    Box::pin(alone(store, sink, async |connection, tenure| {
        let previous = connection.previous_generation().await?;
        let is_there = sink.comment(RAW_PREVIOUS).await? == previous.map(comment);
        let Some(generation) = previous.filter(|_| is_there) else {
            return Err(Error::Version("there is no previous generation to go back to".to_owned()));
        };
        connection.begin_exchange(generation).await?;
        // What was withdrawn from the store meanwhile has been taken out of the other generation only. Noted while the
        // exchange has begun: whoever writes next finishes it first.
        let differing = connection.differing_from_store(generation).await?;
        connection.note_outdated(&differing).await?;
        finish_exchange(connection, sink, tenure).await?;
        Ok(generation)
    }))
    .await
}

/// Drops the tables of the generation before.
///
/// # Errors
/// When one of the two databases fails.
pub async fn drop_previous(store: &Store, sink: &Sink) -> Result<bool, Error> {
    Box::pin(alone(store, sink, async |connection, tenure| {
        let is_there = sink.exists(RAW_PREVIOUS).await?;
        for table in [RAW_PREVIOUS, AGGREGATED_PREVIOUS] {
            tenure.fenced(sink, async |sink| sink.remove(table).await).await?;
        }
        connection.drop_previous_generation().await?;
        Ok(is_there)
    }))
    .await
}

/// Does something while nobody feeds and nobody rebuilds.
async fn alone<T>(
    store: &Store,
    sink: &Sink,
    work: impl AsyncFnOnce(&mut Connection, &Tenure) -> Result<T, Error>,
) -> Result<T, Error> {
    let [mut connection, mut renewing, mut feeding] =
        [store.connect_unhurried().await?, store.connect().await?, store.connect().await?];
    let rebuild = Tenure::begin(&mut renewing, REBUILD, false).await?.ok_or(Error::Rebuilding)?;
    let both = async {
        let feed = Tenure::demand(&mut feeding, FEED).await?;
        let work = async {
            finish_exchange(&mut connection, sink, &feed).await?;
            work(&mut connection, &feed).await
        };
        Box::pin(feed.during(&mut feeding, work)).await
    };
    Box::pin(rebuild.during(&mut renewing, both)).await
}

fn comment(generation: i32) -> String {
    format!("generation {generation}")
}
