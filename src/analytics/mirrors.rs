//! Mirrored tables: rows that change here are inserted there again, with a greater version.
//!
//! An insert that is repeated changes nothing, because a row of one version is one row. So nothing has to be sealed: the
//! mark follows when the versions are there.

use super::tenure::Tenure;
use super::{Error, Writer};
use crate::domain::Mirror;
use crate::feed::Frame;
use crate::sink::Sink;
use crate::store::{Connection, Horizon};

/// Rows in one insert.
const ROWS_MAX: i64 = 20_000;

/// How far each mirrored table is settled.
pub(crate) type Horizons = Vec<Horizon>;

/// Nothing is known yet of the mirrored tables of a domain.
pub(crate) fn horizons(connection: &Connection) -> Horizons {
    connection.domain().mirrors.iter().map(|mirror| connection.versions(mirror)).collect()
}

/// Carries what has changed.
///
/// # Errors
/// When one of the two databases fails.
pub(crate) async fn mirror(
    connection: &mut Connection,
    sink: &Sink,
    horizons: &mut Horizons,
    tenure: &Tenure,
) -> Result<(), Error> {
    let domain = connection.domain();
    for (mirror, horizon) in domain.mirrors.iter().zip(horizons) {
        let settled = horizon.advance(connection).await?;
        let mut mark = connection.mirrored(mirror).await?;
        while let Some(last) = carry(connection, sink, (mirror, &mirror.name), (mark, settled), tenure).await? {
            connection.mark_mirrored(mirror, last).await?;
            mark = last;
        }
    }
    Ok(())
}

/// Inserts the next changed rows into a table; gives the version of the last one.
async fn carry(
    connection: &mut Connection,
    sink: &Sink,
    (mirror, table): (&Mirror, &str),
    (after, up_to): (i64, i64),
    tenure: &Tenure,
) -> Result<Option<i64>, Error> {
    let Some(changed) = connection.changed(mirror, after, up_to, ROWS_MAX).await? else {
        return Ok(None);
    };
    let columns = sink.columns(table).await?;
    let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let token = format!("{table}|{after}|{}", changed.last);
    let settings = [("insert_deduplication_token", &*token)];
    let frame = tokio::task::block_in_place(|| Frame::of(changed.lines.as_ref()));
    tenure.for_insert(sink)?.insert(table, &columns, "JSONEachRow", frame, &settings).await?;
    // More than these may be there: earlier versions of rows that have changed since.
    let found = sink.versions(table, after, changed.last).await?;
    if found < changed.rows {
        return Err(Error::Missing { table: table.to_owned(), rows: changed.rows, found });
    }
    Ok(Some(changed.last))
}

/// What is wrong with the mirrored tables, in words; with those whose rows are not all carried yet, nothing is.
///
/// # Errors
/// When one of the two databases fails.
pub(crate) async fn differing(connection: &mut Connection, sink: &Sink) -> Result<Vec<(Mirror, String)>, Error> {
    let domain = connection.domain();
    let mut problems = Vec::new();
    for mirror in &domain.mirrors {
        let here = connection.mirror_sum(mirror).await?;
        if here.2 > connection.mirrored(mirror).await? {
            continue;
        }
        let there = sink.mirror_sum(&mirror.name).await?;
        if here != there {
            let name = &mirror.name;
            let problem = format!("{name}: {} rows there and {} here, or other versions of them", there.0, here.0);
            problems.push((mirror.clone(), problem));
        }
    }
    Ok(problems)
}

impl Writer<'_> {
    /// Makes a mirrored table anew, beside the one that is read, and exchanges the two.
    ///
    /// # Errors
    /// When one of the two databases fails.
    pub(super) async fn mirror_anew(&self, connection: &mut Connection, mirror: &Mirror) -> Result<(), Error> {
        let Self { sink, target, tenure } = *self;
        let (table, next) = (&*mirror.name, format!("{}_next", mirror.name));
        let comment = format!("generation {}", target.generation);
        tenure.fenced(sink, async |sink| sink.make_like(table, &next, &comment).await).await?;
        // All that is visible now; the mark stays, and from there on rows are carried once more, which changes nothing.
        let mut after = 0;
        while let Some(last) = carry(connection, sink, (mirror, &next), (after, i64::MAX), tenure).await? {
            after = last;
        }
        tenure.fenced(sink, async |sink| sink.exchange(table, &next).await).await?;
        tenure.fenced(sink, async |sink| sink.remove(&next).await).await
    }
}
