//! The same DDL for a cluster of replicas: rewritten on the way, so that there is one set of files.

use super::identifier;
use super::statements::{Kind, pieces};

/// What may stand between the verb and the name of what it is about.
const BEFORE_NAME: [&str; 9] = ["or", "replace", "materialized", "table", "view", "database", "if", "not", "exists"];

/// Replicated tables forget tokens after a time too, since 25.10 after an hour: too short for an outage.
const WINDOW: &str = "replicated_deduplication_window_seconds = 604800, replicated_deduplication_window";

/// The statement as it is carried out on all servers of a cluster: `on cluster`, replicated engines, and the
/// setting for deduplication that these have.
///
/// # Errors
/// When it is none of the statements that this knows.
pub fn rewritten(statement: &str, cluster: &str) -> Result<String, String> {
    let mut parts: Vec<(Kind, String)> =
        pieces(statement).into_iter().map(|(kind, piece)| (kind, piece.to_owned())).collect();
    let verb = parts.iter().find(|(kind, _)| *kind == Kind::Word).map(|(_, word)| word.to_lowercase());
    match verb.as_deref() {
        Some("insert") => return Ok(statement.to_owned()), // rows replicate themselves
        Some("rename" | "exchange") => parts.push((Kind::Sign, format!(" on cluster {}", identifier(cluster)))),
        Some("create" | "drop" | "alter" | "truncate") => {
            let after_name = end_of_name(&parts).ok_or_else(|| format!("has no name: {statement}"))?;
            parts.insert(after_name, (Kind::Sign, format!(" on cluster {}", identifier(cluster))));
        }
        _ => return Err(format!("cannot be carried out on a cluster: {statement}")),
    }
    replicate(&mut parts);
    Ok(parts.into_iter().map(|(_, piece)| piece).collect())
}

/// Where the name ends, with the database before it if there is one.
fn end_of_name(parts: &[(Kind, String)]) -> Option<usize> {
    let is_name = |(kind, piece): &(Kind, String)| {
        *kind == Kind::Quoted || *kind == Kind::Word && !BEFORE_NAME.contains(&piece.to_lowercase().as_str())
    };
    let verb = parts.iter().position(|(kind, _)| *kind == Kind::Word)?;
    let mut name = verb + 1 + parts.get(verb + 1..)?.iter().position(is_name)?;
    while parts.get(name + 1).is_some_and(|(_, sign)| sign == ".") {
        name += 2;
    }
    Some(name + 1)
}

fn replicate(parts: &mut [(Kind, String)]) {
    let mut before = [String::new(), String::new()];
    for (kind, piece) in parts.iter_mut().filter(|(kind, _)| !matches!(kind, Kind::Space | Kind::Comment)) {
        let now = piece.to_lowercase();
        let is_engine = before == ["engine", "="];
        if is_engine && piece.ends_with("MergeTree") && !piece.starts_with("Replicated") && !piece.starts_with("Shared")
        {
            piece.insert_str(0, "Replicated");
        }
        if *kind == Kind::Word && now == "non_replicated_deduplication_window" {
            WINDOW.clone_into(piece);
        }
        before.rotate_left(1);
        before[1] = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{migrate, statements};
    use super::*;

    #[test]
    fn statements_are_rewritten_for_a_cluster() {
        let cases = [
            ("create database if not exists `m`", "create database if not exists `m` on cluster `c`"),
            (
                "create table if not exists t (a UInt64 comment 'engine = MergeTree') engine = MergeTree order by a
                 settings non_replicated_deduplication_window = 10000",
                "create table if not exists t on cluster `c` (a UInt64 comment 'engine = MergeTree') engine = ReplicatedMergeTree order by a
                 settings replicated_deduplication_window_seconds = 604800, replicated_deduplication_window = 10000",
            ),
            (
                "CREATE TABLE d.`t` (a UInt64) ENGINE=ReplacingMergeTree(version) ORDER BY a",
                "CREATE TABLE d.`t` on cluster `c` (a UInt64) ENGINE=ReplicatedReplacingMergeTree(version) ORDER BY a",
            ),
            (
                "create table t (a UInt64) engine = AggregatingMergeTree order by a",
                "create table t on cluster `c` (a UInt64) engine = ReplicatedAggregatingMergeTree order by a",
            ),
            (
                "create table t (a UInt64) engine = ReplicatedMergeTree order by a",
                "create table t on cluster `c` (a UInt64) engine = ReplicatedMergeTree order by a",
            ),
            (
                "create materialized view if not exists v to t as select 1",
                "create materialized view if not exists v on cluster `c` to t as select 1",
            ),
            ("create or replace view v as select 1", "create or replace view v on cluster `c` as select 1"),
            ("drop table if exists t sync", "drop table if exists t on cluster `c` sync"),
            ("drop view v", "drop view v on cluster `c`"),
            ("alter table t add column b String", "alter table t on cluster `c` add column b String"),
            ("exchange tables a and b", "exchange tables a and b on cluster `c`"),
            ("insert into t values (1)", "insert into t values (1)"),
        ];
        for (given, wanted) in cases {
            assert_eq!(rewritten(given, "c").as_deref(), Ok(wanted), "{given}");
        }
        assert!(rewritten("optimize table t", "c").is_err());
    }

    #[test]
    fn every_migration_can_be_rewritten() {
        let all = migrate::compiled_in();
        assert!(!all.is_empty());
        for text in all.iter().flat_map(|migration| [migration.up, migration.down]) {
            for statement in statements::split(text) {
                let on_cluster = rewritten(&statement, "c").expect("a statement that can be rewritten");
                let is_plain = on_cluster.contains("= MergeTree") || on_cluster.contains("non_replicated_");
                assert!(on_cluster.contains("on cluster") && !is_plain, "{on_cluster}");
            }
        }
    }
}
