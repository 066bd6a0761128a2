//! What a rebuild relies on: tables that are exchanged under their views, months that are replaced, rows that are deleted.

use super::{SUMS, insert, lines};
use crate::support::{ClickHouse, Engine};

const MAY: &str = "2026-05-01 12:00:00.000000";
const JUNE: &str = "2026-06-01 12:00:00.000000";

/// The second generation beside the first, with a view of its own.
fn make_next(clickhouse: &ClickHouse) {
    for table in ["events_raw", "events_aggregated"] {
        clickhouse.execute(&format!("create table {table}_next as {table} comment 'generation 2'"));
    }
    let select = &clickhouse.lines(
        "select as_select from system.tables where database = currentDatabase() and name = 'events_aggregated_view'",
    )[0];
    let select = select.replace("\\'", "'").replace(".events_raw", ".events_raw_next");
    clickhouse.execute(&format!(
        "create materialized view events_aggregated_view_next to events_aggregated_next as {select}"
    ));
}

/// Rows and events of both generations, with the tables' comments.
fn state(clickhouse: &ClickHouse) -> String {
    let comment = |table: &str| {
        format!("(select comment from system.tables where database = currentDatabase() and name = '{table}')")
    };
    let of = |next: &str| {
        let [raw, aggregated] = ["events_raw", "events_aggregated"].map(|table| format!("{table}{next}"));
        format!(
            "{}, (select count() from {raw}), {}, (select sum(events) from {aggregated})",
            comment(&raw),
            comment(&aggregated)
        )
    };
    clickhouse.lines(&format!("select {}, {}", of(""), of("_next")))[0].replace("generation ", "g").replace('\t', " ")
}

#[tokio::test(flavor = "multi_thread")]
async fn views_follow_names_and_comments_follow_tables() {
    let mut engine = Engine::start();
    let clickhouse = ClickHouse::on(&engine.url()).migrated();
    let sink = clickhouse.sink();
    make_next(&clickhouse);
    insert(&sink, lines(1..11, MAY), "g1").await.expect("an insert");
    clickhouse.execute("insert into events_raw_next select * from events_raw where position <= 3");
    assert_eq!(state(&clickhouse), "g1 10 g1 10 g2 3 g2 3");

    clickhouse.execute("exchange tables events_raw and events_raw_next");
    assert_eq!(state(&clickhouse), "g2 3 g1 10 g1 10 g2 3", "comments move with their tables");
    insert(&sink, lines(11..12, MAY), "between").await.expect("an insert");
    assert_eq!(
        state(&clickhouse),
        "g2 4 g1 11 g1 10 g2 3",
        "the view reads and writes by name: nobody may insert in between"
    );

    clickhouse.execute("exchange tables events_aggregated and events_aggregated_next");
    assert_eq!(state(&clickhouse), "g2 4 g2 3 g1 10 g1 11");
    insert(&sink, lines(12..13, MAY), "after").await.expect("an insert");
    assert_eq!(state(&clickhouse), "g2 5 g2 4 g1 10 g1 11");

    engine.kill();
    engine.start_again();
    insert(&sink, lines(13..14, MAY), "restarted").await.expect("an insert");
    insert(&sink, lines(12..13, MAY), "after").await.expect("a repeat");
    assert_eq!(state(&clickhouse), "g2 6 g2 5 g1 10 g1 11", "the same after a crash, tokens included");
}

/// The reason why a range must be settled before its table is exchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_behind_a_view_is_the_views_own() {
    let clickhouse = ClickHouse::new().migrated();
    make_next(&clickhouse);
    let token = [("insert_deduplication_token", "range")];
    let insert = async |table: &str| {
        clickhouse
            .sink()
            .insert(table, &super::COLUMNS, "TabSeparated", lines(1..11, MAY), &token)
            .await
            .expect("an insert");
    };
    insert("events_raw_next").await;
    insert("events_raw_next").await;
    clickhouse.execute("exchange tables events_raw and events_raw_next, events_aggregated and events_aggregated_next");
    assert_eq!(state(&clickhouse), "g2 10 g2 10 g1 0 g1 0");
    insert("events_raw").await;
    assert_eq!(state(&clickhouse), "g2 10 g2 20 g1 0 g1 0", "the table knows the token, its aggregate does not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_replaced_without_its_views() {
    let clickhouse = ClickHouse::new().migrated();
    let sink = clickhouse.sink();
    insert(&sink, lines(1..11, MAY), "may").await.expect("an insert");
    insert(&sink, lines(11..21, JUNE), "june").await.expect("an insert");
    make_next(&clickhouse);
    clickhouse.execute("insert into events_raw_next select * from events_raw where position <= 3");
    clickhouse.execute("alter table events_raw replace partition 202605 from events_raw_next");
    assert_eq!(state(&clickhouse), "g1 13 g1 20 g2 3 g2 3", "nothing went through the view");
    clickhouse.execute("alter table events_aggregated replace partition 202605 from events_aggregated_next");
    assert_eq!(state(&clickhouse), "g1 13 g1 13 g2 3 g2 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_done_when_they_are_answered() {
    let clickhouse = ClickHouse::new().migrated();
    insert(&clickhouse.sink(), lines(1..11, MAY), "may").await.expect("an insert");
    clickhouse.execute("delete from events_raw where position = 1");
    clickhouse.execute("alter table events_raw delete where position = 2 settings mutations_sync = 2");
    assert_eq!(clickhouse.lines("select count(), min(position) from events_raw"), ["8\t3"]);
    let aggregated = "(8,8,240,8)\t(8,10,300,10)";
    assert_eq!(clickhouse.lines(SUMS), [aggregated], "what is deleted stays counted behind the view");
    insert(&clickhouse.sink(), lines(1..11, MAY), "may").await.expect("a repeat");
    assert_eq!(clickhouse.lines(SUMS), [aggregated], "and a token is no less known");
}
