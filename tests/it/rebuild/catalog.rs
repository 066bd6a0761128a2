//! Everything that readers, writers and administrators can tell of tables.

use crate::support::World;

/// Of the tables of a schema, what their names, rights and references are; not which relations they happen to be.
const CATALOG: &str = "
    select 'column ' || relname || ' ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' '
        || attnotnull || ' ' || coalesce(pg_get_expr(adbin, adrelid), '') || attgenerated::text || attidentity::text || ' '
        || coalesce(attacl::text, '') || ' ' || coalesce(attstattarget, -1) || coalesce(attoptions::text, '') || ' ' || coalesce(col_description(attrelid, attnum), '') as line
    from pg_attribute join pg_class on pg_class.oid = attrelid and relkind = 'r'
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where relnamespace = 'public'::regnamespace and attnum > 0
    union all
    select 'table ' || relname || ' ' || relowner::regrole || ' ' || coalesce(relacl::text, '') || ' '
        || coalesce(reloptions::text, '') || ' ' || relreplident::text || ' ' || coalesce(obj_description(oid, 'pg_class'), '')
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S', 'p')
    union all
    select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
    from pg_constraint where connamespace = 'public'::regnamespace and conrelid <> 0
    union all
    select 'index ' || pg_get_indexdef(indexrelid) || ' ' || coalesce(obj_description(indexrelid, 'pg_class'), '')
    from pg_index join pg_class on pg_class.oid = indexrelid where relnamespace = 'public'::regnamespace
    union all
    select 'sequence ' || objid::regclass || ' of ' || refobjid::regclass || ' ' || refobjsubid
    from pg_depend join pg_class on pg_class.oid = objid and relkind = 'S' and relnamespace = 'public'::regnamespace
    where refclassid = 'pg_class'::regclass and deptype in ('a', 'i')
    union all
    select 'trigger ' || pg_get_triggerdef(oid) || tgenabled::text || coalesce(obj_description(oid, 'pg_trigger'), '') from pg_trigger where not tgisinternal
    union all
    select 'view ' || viewname || ' ' || definition from pg_views where schemaname = 'public'
    union all
    select 'published ' || pubname || ' ' || schemaname || '.' || tablename || ' ' || attnames::text from pg_publication_tables
    union all
    select 'references ' || conname || ' ' || confrelid::regclass from pg_constraint
    where contype = 'f' and connamespace = 'public'::regnamespace
    order by 1";

impl World {
    /// One line for each of these things. Months of the event store are made whenever an event of theirs comes.
    pub(super) async fn catalog(&self) -> Vec<String> {
        let rows = self.rows(CATALOG).await;
        let lines = rows.iter().map(|row| row["line"].as_str().expect("a text").to_owned());
        lines.filter(|line| !line.contains("event_log_2")).collect()
    }
}

/// Names what is only in one of two catalogs.
#[track_caller]
pub(super) fn assert_same_catalog(before: &[String], after: &[String]) {
    let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
}
