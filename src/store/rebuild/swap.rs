//! Putting a generation in the place of the live tables, in one short transaction.
//!
//! Tables are moved between schemas, which touches no row. What refers to them by what they are and not by name (foreign
//! keys, views, triggers, publications, owned sequences) is pointed at the new ones in the same transaction. A reader sees
//! either the old tables or the new ones: each name is locked until the commit, and looked up again after it.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Generation, OUTGOING, PREVIOUS};
use crate::domain::Mirror;
use crate::store::{Connection, Error, execute};

/// The longest that readers are kept waiting for a table: shorter than the server's `deadlock_timeout`, so that of two
/// that wait for each other it is us who give up.
const TABLE_LOCK_MILLISECONDS_MAX: u64 = 300;

/// What hangs on the live tables, as statements that hang it on tables of the same names.
const HANGERS: &str = "
    with wanted as (select to_regclass('public.' || quote_ident(name)) as id from unnest($1::text[]) as names (name))
    select distinct format('create or replace view %s %s as %s', view.oid::regclass,
        coalesce('with (' || array_to_string(view.reloptions, ', ') || ')', ''), pg_get_viewdef(view.oid))
    from wanted join pg_depend on refclassid = 'pg_class'::regclass and refobjid = id and classid = 'pg_rewrite'::regclass
    join pg_rewrite on pg_rewrite.oid = objid join pg_class as view on view.oid = ev_class
    where view.relkind = 'v' and view.relnamespace::regnamespace::text <> all(array['milepost_next', 'milepost_previous', 'milepost_outgoing'])
    union all
    select pg_get_triggerdef(pg_trigger.oid, true)
        || case tgenabled when 'O' then '' else format('; alter table %s %s trigger %I', tgrelid::regclass,
               case tgenabled when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end, tgname) end
        || coalesce(format('; comment on trigger %I on %s is %L', tgname, tgrelid::regclass,
               obj_description(pg_trigger.oid, 'pg_trigger')), '')
    from wanted join pg_trigger on tgrelid = id where not tgisinternal
    union all
    select format('alter publication %I add table %s%s%s', pubname, prrelid::regclass,
        coalesce((select ' (' || string_agg(quote_ident(attname), ', ') || ')' from pg_attribute
                  where attrelid = prrelid and attnum = any(prattrs)), ''),
        coalesce(' where (' || pg_get_expr(prqual, prrelid) || ')', ''))
    from wanted join pg_publication_rel on prrelid = id join pg_publication on pg_publication.oid = prpubid
    union all
    select format('alter table %s replica identity %s', id::regclass,
        case relreplident when 'f' then 'full' when 'n' then 'nothing'
            else 'using index ' || (select quote_ident(relname) from pg_index join pg_class as index on index.oid = indexrelid
                                    where indrelid = id and indisreplident) end)
    from wanted join pg_class on pg_class.oid = id where relreplident <> 'd'";

/// The same hangers are taken from the tables that go.
const UNHANG: &str = "
    with wanted as (select to_regclass('public.' || quote_ident(name)) as id from unnest($1::text[]) as names (name))
    select format('drop trigger %I on %s', tgname, tgrelid::regclass)
    from wanted join pg_trigger on tgrelid = id where not tgisinternal
    union all
    select format('alter publication %I drop table %s', pubname, prrelid::regclass)
    from wanted join pg_publication_rel on prrelid = id join pg_publication on pg_publication.oid = prpubid";

/// Sequences that belong to columns of the live tables: they would go with their tables. (table, column, sequence)
const SEQUENCES: &str = "
    select rel.relname::text, attname::text, seq.relname::text
    from pg_depend join pg_class as seq on seq.oid = objid and seq.relkind = 'S'
    join pg_class as rel on rel.oid = refobjid join pg_attribute on attrelid = refobjid and attnum = refobjsubid
    where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and deptype = 'a'
      and rel.relnamespace = 'public'::regnamespace and rel.relname = any($1)
    order by 1, 2";

/// Foreign keys that cross from one generation to the other although their own has a table of that name, and those of
/// other schemas to the tables that go: people read and write by the live ones.
/// (schema that it belongs to, table, name, schema of the other, constraint)
const CROSSING: &str = "
    select case when own.nspname = any($1) then own.nspname else 'public' end::text,
        quote_ident(own.nspname) || '.' || quote_ident(rel.relname), conname::text, theirs.nspname::text, con.oid::int8
    from pg_constraint as con join pg_class as rel on rel.oid = conrelid join pg_namespace as own on own.oid = rel.relnamespace
    join pg_class as other on other.oid = confrelid join pg_namespace as theirs on theirs.oid = other.relnamespace
    where contype = 'f' and conparentid = 0 and theirs.nspname = any($1)
      and case when own.nspname = any($1) then own.nspname <> theirs.nspname
               else own.nspname not in ('milepost_next', 'milepost_previous', 'milepost_outgoing') and theirs.nspname <> 'public' end
      and exists (select from pg_class as same where same.relname = other.relname
                  and same.relnamespace = case when own.nspname = any($1) then own.oid else 'public'::regnamespace end)
    order by 1, 2, 3";

impl Connection {
    /// Notes which events up to a settled position have had no effect: nobody is kept waiting for a look at all of them.
    pub(crate) async fn note_open(&mut self, generation: &Generation, up_to: i64) -> Result<(), Error> {
        let (schema, log) = (generation.schema, &self.domain.event_log);
        let sql = format!(
            "drop table if exists {schema}.rebuild_open; create table {schema}.rebuild_open (position bigint primary key);
             insert into {schema}.rebuild_open
                 select position from public.{log} where processed_at is null and position <= {up_to}"
        );
        self.carry_out(&sql, "look for events that have had no effect").await
    }

    /// Puts the named tables of a generation in the place of the live ones. Nobody else may be at work; gives foreign keys
    /// of the live tables that are to be validated: (table, name). [`Self::note_open`] was asked up to `noted`.
    ///
    /// # Errors
    /// [`Error::Contended`] when readers hold a table for too long. Nothing has happened then.
    pub(crate) async fn swap(
        &mut self,
        generation: &Generation,
        (named, all): (&[&str], &[&str]),
        noted: i64,
    ) -> Result<Vec<(String, String)>, Error> {
        execute(&mut self.pg, "begin").await?;
        match Box::pin(self.exchange(generation, (named, all), noted)).await {
            Ok(crossing) => {
                execute(&mut self.pg, "commit").await?;
                Ok(crossing)
            }
            Err(error) => {
                self.roll_back_quietly().await?;
                Err(error)
            }
        }
    }

    async fn exchange(
        &mut self,
        generation: &Generation,
        (named, all): (&[&str], &[&str]),
        noted: i64,
    ) -> Result<Vec<(String, String)>, Error> {
        let schema = generation.schema;
        let sequences = self.renumber(generation, named).await?;
        self.settle_routed(generation, noted).await?;
        execute(&mut self.pg, "set local synchronous_commit = on; set local search_path = public").await?;
        let hangers = self.texts(HANGERS, named).await?;
        let unhang = self.texts(UNHANG, named).await?;
        self.lock_tables(named).await?;

        // The names change hands. What is not named goes beside those that go: together they are a whole generation.
        let mut moves = format!("create schema {OUTGOING};");
        for statement in unhang {
            moves.push_str(&format!("{statement};"));
        }
        for (_, _, sequence) in &sequences {
            moves.push_str(&format!("alter sequence public.{sequence} owned by none;"));
        }
        for table in all {
            let is_named = named.contains(table);
            let moved = if is_named { format!("public.{table}") } else { format!("{schema}.{table}") };
            moves.push_str(&format!("alter table {moved} set schema {OUTGOING};"));
            if is_named {
                moves.push_str(&format!("alter table {schema}.{table} set schema public;"));
            }
        }
        for (table, column, sequence) in &sequences {
            moves.push_str(&format!("alter sequence public.{sequence} owned by public.{table}.{column};"));
        }
        self.carry_out(&moves, "exchange the tables").await?;
        for statement in hangers {
            self.carry_out(&statement, "hang on the new tables what hung on the old ones").await?;
        }
        let crossing = self.point_home().await?;

        let told = format!(
            "insert into public.outbox (event_id, user_id, subject, payload)
             select event_id, user_id, subject, payload from {schema}.outbox order by position
             on conflict (event_id) do nothing"
        );
        self.carry_out(&told, "write to the outbox").await?;
        self.account_for_outgoing(generation, named).await?;
        self.carry_out(
            &format!(
                "drop schema {schema} cascade; drop schema if exists {PREVIOUS} cascade;
                 alter schema {OUTGOING} rename to {PREVIOUS}"
            ),
            "keep the generation before",
        )
        .await?;
        Ok(crossing)
    }

    /// Rows of mirrored tables get versions above all that were given out: whoever carries changed rows takes them all.
    async fn renumber(
        &mut self,
        generation: &Generation,
        named: &[&str],
    ) -> Result<Vec<(String, String, String)>, Error> {
        let domain = self.domain();
        let sequences: Vec<(String, String, String)> = sqlx::query_as(SEQUENCES)
            .bind(named)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for the sequences of tables", error))?;
        let is_mirrored = |name: &String| domain.mirrors.iter().any(|mirror: &Mirror| mirror.sequence == *name);
        for (table, column, sequence) in sequences.iter().filter(|(.., sequence)| is_mirrored(sequence)) {
            let (schema, declared) = (generation.schema, domain.tables.iter().find(|known| known.name == *table));
            // What does not count any more must not vanish: whoever mirrors it would keep what it said before.
            if let Some((only, key)) = declared.and_then(|table| Some((table.only.as_ref()?, &table.name))) {
                let sql = format!(
                    "insert into {schema}.{key} select * from public.{key} as \"row\" where not ({only})
                     on conflict do nothing"
                );
                self.carry_out(&sql, &format!("take over rows of {key} that say nothing")).await?;
            }
            let sql = format!("update {schema}.{table} set {column} = nextval('public.{sequence}')");
            self.carry_out(&sql, &format!("number the rows of {table}")).await?;
        }
        Ok(sequences)
    }

    /// How many events had no contract when they came, and would have their effect by a swap. Only one of all tables gives
    /// it to them whole.
    pub(crate) async fn newly_routed(&mut self, generation: &Generation) -> Result<i64, Error> {
        let sql = format!(
            "select count(*) from {}.rebuild_routed join public.{} as log using (position) where processed_at is null",
            generation.schema, self.domain.event_log
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.pg)
            .await
            .map_err(|error| Error::classify("count events that have got a contract", error))
    }

    /// Events that had no contract when they came, and have had their effect now: in the event store, and in the books.
    /// `rebuild_open`: what the tables that go have no effect of. It is looked for before any table is locked.
    async fn settle_routed(&mut self, generation: &Generation, noted: i64) -> Result<(), Error> {
        let (schema, log) = (generation.schema, &self.domain.event_log);
        let open = format!(
            "delete from {schema}.rebuild_open as open using public.{log} as log
             where log.position = open.position and log.processed_at is not null;
             insert into {schema}.rebuild_open
                 select position from public.{log} where processed_at is null and position > {noted}"
        );
        let sql = format!(
            "with settled as (
                 update public.{log} as log set processed_at = now(), user_id = coalesce(log.user_id, routed.user_id)
                 from {schema}.rebuild_routed as routed
                 where log.position = routed.position and log.processed_at is null returning stream_sequence)
             insert into public.handled_sequences
                 (stream, incarnation, sequences, applied, duplicates, waiting, unrouted, dead_letters, own)
             select $1, null, '{{}}', count(*), 0, 0, -count(*), 0, 0 from settled
             where stream_sequence is not null having count(*) > 0"
        );
        self.carry_out(&open, "look for events that have had no effect").await?;
        let stream = self.domain.stream.name.clone();
        sqlx::query(AssertSqlSafe(sql))
            .bind(stream)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("mark events as projected", error))
    }

    async fn lock_tables(&mut self, named: &[&str]) -> Result<(), Error> {
        let names = named.iter().map(|name| format!("public.{name}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "set local lock_timeout = {TABLE_LOCK_MILLISECONDS_MAX}; lock table {names} in access exclusive mode"
        );
        self.carry_out(&sql, "lock the tables").await
    }

    /// Foreign keys that now point into the other generation are made again, without looking at the rows: within what was
    /// built they have been looked at. Gives those of the live tables.
    async fn point_home(&mut self) -> Result<Vec<(String, String)>, Error> {
        let failed = |error| Error::classify("look for foreign keys", error);
        let crossing: Vec<(String, String, String, String, i64)> =
            sqlx::query_as(CROSSING).bind(["public", OUTGOING]).fetch_all(&mut self.pg).await.map_err(failed)?;
        for (own, table, name, theirs, oid) in &crossing {
            self.carry_out(&format!("set local search_path = {theirs}"), "name the schema").await?;
            let definition: String = sqlx::query_scalar("select pg_get_constraintdef($1::oid)")
                .bind(sqlx::postgres::types::Oid(u32::try_from(*oid).unwrap_or_default()))
                .fetch_one(&mut self.pg)
                .await
                .map_err(failed)?;
            let definition = definition.trim_end_matches(" NOT VALID");
            let sql = format!(
                "set local search_path = {own}, public; alter table {table} drop constraint \"{name}\";
                 alter table {table} add constraint \"{name}\" {definition} not valid"
            );
            self.carry_out(&sql, "point a foreign key at the new tables").await?;
        }
        execute(&mut self.pg, "set local search_path = public").await?;
        let live = crossing.into_iter().filter(|(own, ..)| own == "public");
        Ok(live.map(|(_, table, name, ..)| (table, name)).collect())
    }

    /// What went has the effect of everything up to now, apart from what waits, and from what had no contract until now or
    /// still has none: these are looked at again, should it come back.
    async fn account_for_outgoing(&mut self, generation: &Generation, named: &[&str]) -> Result<(), Error> {
        let (up_to, schema) = (self.last_drawn().await?, generation.schema);
        self.carry_out(&format!("set local search_path = {OUTGOING}, public"), "name the schema").await?;
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let notes = !named.iter().any(|name| name == "touched_later");
        self.open_books(&Generation { id: Uuid::new_v4(), named, ..generation.clone() }).await?;
        let sql = format!(
            "update rebuild_book set done = int8multirange(int8range(0, {up_to}, '[]'));
             drop table rebuild_held;
             alter table {schema}.rebuild_open set schema {OUTGOING}; alter table rebuild_open rename to rebuild_held;
             insert into touched_later (name, key) select name, key from public.touched_later where {notes};
             set local search_path = public"
        );
        self.carry_out(&sql, "account for the generation before").await
    }

    /// Foreign keys to and from these tables that hold for new rows only: one who swapped was killed before the rows had
    /// been looked at. (table, name)
    pub(crate) async fn not_validated(&mut self, tables: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let sql = "select quote_ident(own.nspname) || '.' || quote_ident(rel.relname), conname::text
             from pg_constraint join pg_class as rel on rel.oid = conrelid join pg_namespace as own on own.oid = relnamespace
             where contype = 'f' and conparentid = 0 and not convalidated
               and exists (select from unnest($1::text[]) as names (name)
                           where to_regclass('public.' || quote_ident(name)) in (conrelid, confrelid))
             order by 1, 2";
        sqlx::query_as(sql)
            .bind(tables)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look for foreign keys that are not valid", error))
    }

    /// Validates a foreign key that was pointed at new tables; `false`: rows refer to what is not there.
    pub(crate) async fn validate(&mut self, table: &str, name: &str) -> Result<bool, Error> {
        let sql = format!("alter table {table} validate constraint \"{name}\"");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.pg).await {
            Ok(_) => Ok(true),
            Err(error) => match Error::classify("validate a foreign key", error) {
                Error::Contended { sqlstate } if sqlstate == crate::store::NO_SUCH_ROW => Ok(false),
                error => Err(error),
            },
        }
    }

    async fn texts(&mut self, sql: &'static str, named: &[&str]) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(sql)
            .bind(named)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look what hangs on the tables", error))
    }
}
