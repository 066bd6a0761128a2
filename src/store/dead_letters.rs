//! Dead letters as operators see them.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Connection, Error, Unit};

/// A dead letter without its bytes.
#[derive(Debug, Clone, FromRow)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// The subject it was published on.
    pub subject: String,
    /// Why it is dead.
    pub reason: String,
    /// JSON pointer to the field at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Messages of the stream with this content; 0 for one that only a replay met.
    pub count: i64,
    /// Sequence of the first of them.
    pub first_seq: Option<i64>,
    /// Sequence of the last of them.
    pub last_seq: Option<i64>,
    /// When the first was met.
    pub first_seen: DateTime<Utc>,
    /// When the last was met.
    pub last_seen: DateTime<Utc>,
    /// The event's id, where it could be read.
    pub event_id: Option<Uuid>,
    /// The event's type, where it could be read.
    pub event_type: Option<String>,
    /// Times it was redriven in vain.
    pub attempts: i32,
    /// `redriven`, `discarded`, or nothing while it is open.
    pub resolution: Option<String>,
    /// Why an operator gave it up.
    pub note: Option<String>,
    /// Bytes of its payload.
    pub size: i64,
}

/// The raw message of a dead letter.
#[derive(Debug, Clone, FromRow)]
pub struct Raw {
    /// The bytes as they came.
    pub payload: Vec<u8>,
    /// Its headers, a JSON object.
    pub headers: Option<String>,
}

/// What was said of a dead letter before.
#[derive(Debug, Clone, FromRow)]
pub struct Verdict {
    /// Why it was dead.
    pub reason: String,
    /// JSON pointer to the field at fault.
    pub field: Option<String>,
    /// What was wrong.
    pub message: String,
    /// `redriven`, `discarded`, or nothing while it was open.
    pub resolution: Option<String>,
    /// When the next verdict came.
    pub ended_at: DateTime<Utc>,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These numbers; empty: any.
    pub ids: Vec<i64>,
    /// With this reason.
    pub reason: Option<String>,
    /// Of these event types: `*` stands for any text, `?` for any character. Where no type could be read, the subject
    /// counts.
    pub types: Option<String>,
    /// Met last at or after this moment.
    pub since: Option<DateTime<Utc>>,
    /// Those that are resolved too.
    pub resolved_too: bool,
    /// Numbers up to this one: what dies meanwhile is left out.
    pub up_to: Option<i64>,
}

/// A place in the order of the stream, in which dead letters are gone through: first sequence, number.
pub type Place = (i64, i64);

const COLUMNS: &str = "id, subject, reason, field, message, count, first_seq, last_seq, first_seen, last_seen, \
                       event_id, event_type, attempts, resolution, note, octet_length(payload)::int8 as size";

impl Letter {
    /// Where it stands in the order of the stream.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.first_seq.unwrap_or_default(), self.id)
    }
}

impl Selection {
    /// A letter that counts nothing stands beside the one that does: the same message, met again.
    fn narrow(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" where (count > 0 or is_replayed)");
        if !self.resolved_too {
            query.push(" and resolution is null");
        }
        if !self.ids.is_empty() {
            query.push(" and id = any(").push_bind(self.ids.clone()).push(")");
        }
        if let Some(reason) = &self.reason {
            query.push(" and reason = ").push_bind(reason.clone());
        }
        if let Some(glob) = &self.types {
            query.push(" and coalesce(event_type, subject) like ").push_bind(like(glob));
        }
        if let Some(since) = self.since {
            query.push(" and last_seen >= ").push_bind(since);
        }
        if let Some(up_to) = self.up_to {
            query.push(" and id <= ").push_bind(up_to);
        }
    }
}

/// A glob as a pattern of `like`.
fn like(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len());
    for letter in glob.chars() {
        match letter {
            '*' => pattern.push('%'),
            '?' => pattern.push('_'),
            '%' | '_' | '\\' => pattern.extend(['\\', letter]),
            _ => pattern.push(letter),
        }
    }
    pattern
}

impl Connection {
    /// The selected dead letters after a place, in the order of the stream.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dead_letters(
        &mut self,
        selection: &Selection,
        after: Place,
        limit: i64,
    ) -> Result<Vec<Letter>, Error> {
        let mut query = QueryBuilder::new(format!("select {COLUMNS} from dead_letters"));
        selection.narrow(&mut query);
        query.push(" and (coalesce(first_seq, 0), id) > (").push_bind(after.0).push(", ").push_bind(after.1);
        query.push(") order by coalesce(first_seq, 0), id limit ").push_bind(limit);
        query.build_query_as().fetch_all(self.pg()).await.map_err(|error| Error::classify("read dead letters", error))
    }

    /// How many are selected, and the largest number of any dead letter.
    ///
    /// # Errors
    /// As the database says.
    pub async fn count_selected(&mut self, selection: &Selection) -> Result<(i64, i64), Error> {
        let newest = "(select coalesce(max(id), 0) from dead_letters)";
        let mut query = QueryBuilder::new(format!("select count(*), {newest} from dead_letters"));
        selection.narrow(&mut query);
        query.build_query_as().fetch_one(self.pg()).await.map_err(|error| Error::classify("count dead letters", error))
    }

    /// The bytes and headers of one.
    ///
    /// # Errors
    /// As the database says.
    pub async fn dead_letter_raw(&mut self, id: i64) -> Result<Option<Raw>, Error> {
        let mut raw: Option<Raw> = sqlx::query_as("select payload, headers::text from dead_letters where id = $1")
            .bind(id)
            .fetch_optional(self.pg())
            .await
            .map_err(|error| Error::classify("read a dead letter", error))?;
        self.decrypt_letters(raw.iter_mut().map(|raw| &mut raw.payload).collect()).await?;
        Ok(raw)
    }

    /// What was said of one before, oldest first; of many verdicts, the last ones.
    ///
    /// # Errors
    /// As the database says.
    pub async fn earlier_verdicts(&mut self, id: i64, limit: i64) -> Result<Vec<Verdict>, Error> {
        let sql = "select * from (
                       select id, reason, field, message, resolution, ended_at from dead_letter_verdicts
                       where letter_id = $1 order by id desc limit $2) as latest order by id";
        sqlx::query_as(sql)
            .bind(id)
            .bind(limit)
            .fetch_all(self.pg())
            .await
            .map_err(|error| Error::classify("read what was said of a dead letter", error))
    }

    /// The dead letters of an event, the first ones.
    pub(crate) async fn dead_letters_of(&mut self, event: Uuid, limit: i64) -> Result<Vec<Letter>, Error> {
        let sql = format!(
            "select {COLUMNS} from dead_letters where event_id = $1 and (count > 0 or is_replayed) order by id limit $2"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(event)
            .bind(limit)
            .fetch_all(self.pg())
            .await
            .map_err(|error| Error::classify("read the dead letters of an event", error))
    }
}

impl Unit<'_> {
    /// Gives up open dead letters; they stay in the books and in the table. Returns those that were open.
    pub(crate) async fn discard(&mut self, ids: &[i64], note: Option<&str>) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar(
            "with open as materialized (
                 select id from dead_letters where id = any($1) and resolution is null order by fingerprint for update)
             update dead_letters as letter set resolution = 'discarded', resolved_at = now(), note = $2
             from open where letter.id = open.id returning letter.id",
        )
        .bind(ids)
        .bind(note)
        .fetch_all(&mut *self.pg)
        .await
        .map_err(|error| Error::classify("discard dead letters", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_a_pattern_in_which_only_stars_and_question_marks_mean_something() {
        assert_eq!(like("a.*.b?"), "a.%.b_");
        assert_eq!(like("50%_\\"), "50\\%\\_\\\\");
    }
}
