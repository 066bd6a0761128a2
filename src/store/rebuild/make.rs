//! Making a generation: empty tables like the live ones, in all that readers and writers can tell.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Generation, NEXT};
use crate::store::{Connection, Error, execute};

/// What a table is besides its columns, as statements on the same names: keys and indexes first, foreign keys then.
/// Definitions name tables as the search path has them, so they mean the generation's where it has one of that name.
const DEFINITIONS: &str = "
    with wanted as (select to_regclass('public.' || quote_ident(name)) as id from unnest($1::text[]) as names (name)),
    statements (step, statement) as (
        select 1, format('alter table %I add constraint %I %s', relname, conname, pg_get_constraintdef(con.oid))
        from wanted join pg_class on pg_class.oid = id join pg_constraint as con on conrelid = id
        where contype in ('p', 'u', 'x')
        union all
        select 1, pg_get_indexdef(indexrelid, 0, true)
        from wanted join pg_index on indrelid = id
        where not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
        union all
        select 2, format('alter table %I add constraint %I %s', relname, conname, pg_get_constraintdef(con.oid))
        from wanted join pg_class on pg_class.oid = id join pg_constraint as con on conrelid = id
        where contype = 'f'
        union all
        select 3, format('alter table %I set (%s)', relname, array_to_string(reloptions, ', '))
        from wanted join pg_class on pg_class.oid = id where reloptions is not null
        union all
        select 3, format('alter table %I alter column %I set statistics %s', relname, attname, attstattarget)
        from wanted join pg_class on pg_class.oid = id join pg_attribute on attrelid = id
        where attnum > 0 and attstattarget >= 0
        union all
        select 3, format('alter table %I alter column %I set (%s)', relname, attname, array_to_string(attoptions, ', '))
        from wanted join pg_class on pg_class.oid = id join pg_attribute on attrelid = id
        where attnum > 0 and attoptions is not null
        union all
        select 3, format('comment on table %I is %L', relname, obj_description(id, 'pg_class'))
        from wanted join pg_class on pg_class.oid = id where obj_description(id, 'pg_class') is not null
        union all
        select 3, format('comment on index %I is %L', relname, obj_description(indexrelid, 'pg_class'))
        from wanted join pg_index on indrelid = id join pg_class on pg_class.oid = indexrelid
        where obj_description(indexrelid, 'pg_class') is not null
        union all
        select 3, format('comment on constraint %I on %I is %L', conname, relname, obj_description(con.oid, 'pg_constraint'))
        from wanted join pg_class on pg_class.oid = id join pg_constraint as con on conrelid = id
        where contype <> 'c' and obj_description(con.oid, 'pg_constraint') is not null
        union all
        select 4, format('grant %s on %I to %s%s', privilege_type, relname,
            case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
            case when is_grantable then ' with grant option' else '' end)
        from wanted join pg_class on pg_class.oid = id cross join lateral aclexplode(relacl)
        union all
        select 4, format('grant %s (%I) on %I to %s%s', privilege_type, attname, relname,
            case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
            case when is_grantable then ' with grant option' else '' end)
        from wanted join pg_class on pg_class.oid = id join pg_attribute on attrelid = id
        cross join lateral aclexplode(attacl) where attnum > 0
        union all
        select 5, format('alter table %I owner to %I', relname, pg_get_userbyid(relowner))
        from wanted join pg_class on pg_class.oid = id where pg_get_userbyid(relowner) <> current_user)
    select statement from statements order by step, statement";

/// What a rebuild cannot carry over to new tables.
const OBSTACLES: &str = "
    with wanted as (
        select name, to_regclass('public.' || quote_ident(name)) as id from unnest($1::text[]) as names (name))
    select name || ' is not there' from wanted where id is null
    union all
    select name || ' is no plain table' from wanted join pg_class on pg_class.oid = id
    where relkind <> 'r' or relispartition or relpersistence <> 'p'
    union all
    select name || ' inherits, or is inherited from' from wanted
    where exists (select from pg_inherits where id in (inhrelid, inhparent))
    union all
    select name || ' has row security' from wanted join pg_class on pg_class.oid = id where relrowsecurity
    union all
    select name || ' has rules' from wanted where exists (select from pg_rewrite where ev_class = id)
    union all
    select name || ': the materialized view ' || view.relname || ' reads it'
    from wanted join pg_depend on refclassid = 'pg_class'::regclass and refobjid = id and classid = 'pg_rewrite'::regclass
    join pg_rewrite on pg_rewrite.oid = objid join pg_class as view on view.oid = ev_class where view.relkind = 'm'
    union all
    select name || ': the function ' || objid::regprocedure || ' is bound to it'
    from wanted join pg_depend on refclassid = 'pg_class'::regclass and refobjid = id and classid = 'pg_proc'::regclass
    union all
    select name || ': ' || pg_describe_object(classid, objid, objsubid) || ' is bound to its row type'
    from wanted join pg_class on pg_class.oid = id
    join pg_type as own on own.oid = reltype
    join pg_depend on refclassid = 'pg_type'::regclass and deptype = 'n' and refobjid in (own.oid, own.typarray)
    order by 1";

/// What a generation keeps of itself. `outbox`: what the outside is told when it is put in place.
const BOOKS: &str = "
    create table rebuild_book (
        id uuid not null, epoch bigint not null, named text[] not null default '{}',
        done int8multirange not null default '{}', made_at timestamptz not null default now());
    create table rebuild_held (position bigint primary key);
    create table rebuild_routed (position bigint primary key, user_id text);
    create table rebuild_refused (position bigint primary key, event_type text not null, message text not null);
    create table outbox (like public.outbox including all)";

impl Connection {
    /// What stands against rebuilding these tables, in words.
    pub(crate) async fn obstacles(&mut self, tables: &[&str]) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(OBSTACLES)
            .bind(tables)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("look at the tables", error))
    }

    /// Makes a generation of empty tables, in the place of one that somebody did not finish.
    pub(crate) async fn make_generation(&mut self, tables: &[&str]) -> Result<Generation, Error> {
        let epoch = self.load_rules().await?.applied.epoch;
        let generation = Generation { schema: NEXT, id: Uuid::new_v4(), epoch, named: Vec::new() };
        execute(&mut self.pg, "begin").await?;
        let made = self.make(tables, &generation).await;
        if made.is_err() {
            self.roll_back_quietly().await?;
        }
        made?;
        execute(&mut self.pg, "commit").await?;
        Ok(generation)
    }

    async fn make(&mut self, tables: &[&str], generation: &Generation) -> Result<(), Error> {
        let schema = generation.schema;
        let made = "make the schema of a new generation\n  hint: run this as the owner of the tables, with the right to \
                    create schemas in the database (`grant create on database … to …`)";
        self.carry_out(&format!("drop schema if exists {schema} cascade; create schema {schema}"), made).await?;
        for table in tables {
            let sql = format!("create table {schema}.{table} (like public.{table} including all excluding indexes)");
            self.carry_out(&sql, &format!("make a table like {table}")).await?;
        }
        execute(&mut self.pg, "set local search_path = public").await?;
        let statements: Vec<String> = sqlx::query_scalar(DEFINITIONS)
            .bind(tables)
            .fetch_all(&mut self.pg)
            .await
            .map_err(|error| Error::classify("read the definitions of tables", error))?;
        self.carry_out(&format!("set local search_path = {schema}, public"), "name the schema").await?;
        for statement in statements {
            self.carry_out(&statement, &format!("copy the definition of a table ({statement})")).await?;
        }
        self.open_books(generation).await
    }

    /// The books of a generation, in the schema that the search path begins with.
    pub(super) async fn open_books(&mut self, generation: &Generation) -> Result<(), Error> {
        self.carry_out(BOOKS, "open the books of a generation").await?;
        sqlx::query(AssertSqlSafe("insert into rebuild_book (id, epoch, named) values ($1, $2, $3)"))
            .bind(generation.id)
            .bind(generation.epoch)
            .bind(&generation.named)
            .execute(&mut self.pg)
            .await
            .map(|_| ())
            .map_err(|error| Error::classify("open the books of a generation", error))
    }
}
