//! Comparing tables with what is written down here, and knowing which of them were.

use std::collections::BTreeSet;

use super::story::readable;
use crate::seeds;
use crate::support::World;

/// Tables of the seeds that no event can fill.
const BY_OTHERS: [(&str, &str); 2] = [
    ("webhook_deduplication", "deliveries of webhooks, which other services of the platform take"),
    ("api_request_deduplication", "requests to the platform's API, which others answer"),
];

/// The tables of a world, which of them have been looked at, and how they differ from what is written down.
pub(super) struct Tables<'w> {
    pub(super) world: &'w World,
    seen: BTreeSet<String>,
    differing: Vec<String>,
}

impl<'w> Tables<'w> {
    pub(super) fn of(world: &'w World) -> Self {
        Self { world, seen: BTreeSet::new(), differing: Vec::new() }
    }

    /// A table (and what else a query says after `from`) has these rows and no others, in any order. Columns stand
    /// between bars, as the values of a row do; `-` is null.
    pub(super) async fn show(&mut self, source: &str, columns: &str, expected: &[&str]) {
        self.saw(source);
        let shown = columns.split(" | ").map(|column| format!("coalesce(({column})::text, '-')"));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let rows = self.world.rows(&format!("select concat_ws(' | ', {shown}) as row from {source}")).await;
        self.compare(source, rows.iter().map(|row| row["row"].as_str().expect("a row")), expected);
    }

    /// The same of ClickHouse, where it is a whole query.
    pub(super) fn show_there(&mut self, table: &str, sql: &str, expected: &[&str]) {
        self.saw(table);
        let rows = self.world.analytics().lines(sql);
        let rows: Vec<String> = rows.iter().map(|row| row.replace('\t', " | ").replace("\\N", "-")).collect();
        self.compare(table, rows.iter().map(String::as_str), expected);
    }

    fn saw(&mut self, source: &str) {
        self.seen.extend(source.split(' ').next().map(str::to_owned));
    }

    fn compare<'r>(&mut self, name: &str, rows: impl Iterator<Item = &'r str>, expected: &[&str]) {
        let mut rows: Vec<String> = rows.map(readable).collect();
        let mut expected: Vec<String> = expected.iter().map(|row| (*row).to_owned()).collect();
        rows.sort_unstable();
        expected.sort_unstable();
        if rows != expected {
            let only = |these: &[String], others: &[String]| -> Vec<String> {
                these.iter().filter(|row| !others.contains(row)).cloned().collect()
            };
            let (surplus, missing) = (only(&rows, &expected), only(&expected, &rows));
            self.differing.push(format!("{name}: it has {surplus:#?}\nand should have {missing:#?}"));
        }
    }

    /// All is as it is written down, and no table of the seeds was forgotten: each was looked at, or is empty for a reason.
    pub(super) async fn are_as_told(mut self) {
        for (table, reason) in BY_OTHERS {
            assert_eq!(self.world.number(&format!("select count(*) from {table}")).await, 0, "{reason}");
            self.seen.insert(table.to_owned());
        }
        let forgotten: Vec<String> = seeds::tables().filter(|table| !self.seen.contains(table)).collect();
        if !forgotten.is_empty() {
            self.differing.push(format!("the story says nothing of {forgotten:?}"));
        }
        assert!(self.differing.is_empty(), "{}", self.differing.join("\n"));
    }
}
