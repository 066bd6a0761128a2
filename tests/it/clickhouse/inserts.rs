//! One body is one block, and counts once however often it is sent.

use milepost::feed::Frame;
use milepost::sink::Error;

use super::{SUMS, insert, line, lines};
use crate::support::ClickHouse;

const NOON: &str = "2026-05-01 12:00:00.000000";

/// What so many rows amount to, in both tables.
fn sums(rows: u64, people: u64) -> Vec<String> {
    let sums = format!("({rows},{rows},{},{people})", rows * 30);
    vec![format!("{sums}\t{sums}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_once_in_the_table_and_behind_its_view() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    for _ in 0..3 {
        insert(&sink, lines(1..11, NOON), "first").await.expect("an insert");
        assert_eq!(clickhouse.lines(SUMS), sums(10, 10));
    }
    insert(&sink, lines(1..11, NOON), "second").await.expect("an insert");
    assert_eq!(clickhouse.lines(SUMS), sums(20, 10), "another token is another insert");
    // A token stands for its body, whatever the body is the second time.
    insert(&sink, lines(11..13, NOON), "second").await.expect("an insert");
    assert_eq!(clickhouse.lines(SUMS), sums(20, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_once_over_many_partitions_and_months_that_nobody_has() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    let months = (0..300_u64).map(|n| line(n + 1, &format!("{}-{:02}-03 04:05:06.789012", 1990 + n / 12, n % 12 + 1)));
    let body: String =
        months.chain([line(301, "1900-01-01 00:00:00"), line(302, "2299-12-31 23:59:59.999999")]).collect();
    for _ in 0..2 {
        insert(&sink, Frame::of(body.as_bytes()), "all").await.expect("an insert");
        assert_eq!(clickhouse.lines(SUMS), sums(302, 302));
    }
    for table in ["events_raw", "events_aggregated"] {
        let partitions = clickhouse.lines(&format!(
            "select count(), min(partition), max(partition), sumIf(rows, partition = '0') from (
                select partition, sum(rows) as rows from system.parts
                where database = currentDatabase() and table = '{table}' and active group by partition)"
        ));
        assert_eq!(partitions, ["181\t0\t201412\t122"], "180 months of our time, and one partition for the others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_are_right_in_all_years_that_contracts_allow() {
    let clickhouse = ClickHouse::new().migrated();
    let hours = [
        "1900-01-01 00",
        "1950-06-01 10",
        "1969-12-31 23",
        "1970-01-01 00",
        "2026-05-01 12",
        "2106-02-07 07",
        "2250-06-01 10",
        "2299-12-31 23",
    ];
    let of_hour = |(n, hour): (u64, &&str)| {
        let first_and_last = [line(2 * n, &format!("{hour}:00:00")), line(2 * n + 1, &format!("{hour}:59:59.999999"))];
        first_and_last.concat()
    };
    let body: String = (0..).zip(&hours).map(of_hour).collect();
    insert(&clickhouse.sink(), Frame::of(body.as_bytes()), "hours").await.expect("an insert");
    let told = clickhouse.lines("select hour, sum(events) from events_aggregated group by hour order by hour");
    assert_eq!(told, hours.map(|hour| format!("{hour}:00:00\t2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_rows_are_one_block() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    let body = lines(1..200_001, NOON);
    for _ in 0..2 {
        insert(&sink, body.clone(), "large").await.expect("an insert");
        assert_eq!(clickhouse.number("select count() from events_raw"), 200_000);
        assert_eq!(clickhouse.number("select sum(events) from events_aggregated"), 200_000);
    }
    // Blocks are numbered; parts that were merged have the numbers of all their blocks.
    let blocks = "select sum(rows), min(min_block_number), max(max_block_number) from system.parts
        where database = currentDatabase() and table = 'events_raw' and active";
    assert_eq!(clickhouse.lines(blocks), ["200000\t1\t1"]);

    let smaller = [("max_insert_block_size", "50000"), ("min_insert_block_size_rows", "50000")];
    sink.insert("events_raw", &super::COLUMNS, "TabSeparated", body, &smaller).await.expect("an insert");
    assert_ne!(clickhouse.lines(blocks), ["400000\t1\t2"], "the look at blocks does see several");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_theirs_that_fails_fails_the_insert_and_the_repeat_completes_it() {
    for name in ["a_theirs", "z_theirs"] {
        let clickhouse = ClickHouse::new().migrated();
        let sink = clickhouse.sink();
        clickhouse.execute("create table theirs (n UInt64) engine = MergeTree order by n settings non_replicated_deduplication_window = 100");
        let make = |what: &str| {
            clickhouse
                .execute(&format!("create materialized view {name} to theirs as select {what} as n from events_raw"));
        };
        make("throwIf(position = 7, 'on purpose')");
        for _ in 0..2 {
            let fault = insert(&sink, lines(1..11, NOON), "first").await.expect_err("the view fails");
            assert!(matches!(fault, Error::Fault { code: 395, hint: Some(_), .. }), "{fault}");
            assert!(fault.to_string().contains(&format!("{}.{name}", clickhouse.database)), "{fault}");
        }
        clickhouse.execute(&format!("drop view {name}"));
        make("position");
        for _ in 0..2 {
            insert(&sink, lines(1..11, NOON), "first").await.expect("the view is mended");
            assert_eq!(clickhouse.lines(SUMS), sums(10, 10), "once everywhere");
            assert_eq!(clickhouse.number("select count() from theirs"), 10);
        }
    }
}
