//! How ClickHouse writes values, and a checksum over rows that both sides compute.

use milepost::feed::Frame;
use xxhash_rust::xxh3::xxh3_64;

use super::{COLUMNS, insert};
use crate::support::ClickHouse;

/// A value of each kind, as ClickHouse writes it: no zeros behind decimals, always six digits of a second.
const ROWS: [[&str; 17]; 3] = [
    [
        "1",
        "0190b8a2-0000-7000-8000-00000000000a",
        "mentor.met",
        "mentor",
        "v1",
        "ab0c1234-0000-0000-0000-0000000000ff",
        "\\N",
        "\\N",
        "\\N",
        "1950-01-02 03:04:05.000001",
        "2026-05-01 12:00:00.500000",
        "\\N",
        "1.5",
        "4",
        "-0.000001",
        "12345678901234567890123456789012.1",
        "{\"a\": \"tab\\tö\"}",
    ],
    [
        "18446744073709551615",
        "0190b8a2-0000-7000-8000-00000000000b",
        "",
        "",
        "",
        "\\N",
        "ab0c1234-0000-0000-0000-0000000000ff",
        "ab0c1234-0000-0000-0000-0000000000fe",
        "ab0c1234-0000-0000-0000-0000000000fd",
        "2250-01-02 03:04:05.000000",
        "1900-01-01 00:00:00.000000",
        "ab0c1234-0000-0000-0000-0000000000fc",
        "\\N",
        "\\N",
        "\\N",
        "\\N",
        "",
    ],
    [
        "3",
        "0190b8a2-0000-7000-8000-00000000000c",
        "mentor.met",
        "mentor",
        "v2",
        "\\N",
        "\\N",
        "\\N",
        "\\N",
        "2299-12-31 23:59:59.999999",
        "1970-01-01 00:00:00.000000",
        "\\N",
        "0",
        "999999999999.999999",
        "60",
        "-7",
        "{}",
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn a_checksum_over_rows_is_the_same_here_and_there() {
    let clickhouse = ClickHouse::new().migrated();
    let escaped = |value: &str| if value == "\\N" { value.to_owned() } else { value.replace('\\', "\\\\") };
    let body = ROWS.map(|row| row.map(escaped).join("\t") + "\n").concat();
    insert(&clickhouse.sink(), Frame::of(body.as_bytes()), "rows").await.expect("an insert");

    let checksum = ROWS.iter().fold(0_u64, |sum, row| sum.wrapping_add(xxh3_64(row.join("\u{1f}").as_bytes())));
    let texts: Vec<String> = COLUMNS.iter().map(|name| format!("ifNull(toString({name}), '\\\\N')")).collect();
    let sql = format!("select sum(xxh3(concatWithSeparator('\\x1f', {}))) from events_raw", texts.join(", "));
    assert_eq!(clickhouse.lines(&sql), [checksum.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_as_they_are() {
    let clickhouse = ClickHouse::new().migrated();
    let sql =
        "select 1, null, '', '\\\\N', 'a\\tb\\n\\'\\\\', [1, 2], toDecimal64('1.50', 6), 'where a = ? and b = ??'";
    let rows = clickhouse.sink().rows(sql, &[]).await.expect("rows");
    let some = |text: &str| Some(text.to_owned());
    let values = vec![
        some("1"),
        None,
        some(""),
        some("\\N"),
        some("a\tb\n'\\"),
        some("[1,2]"),
        some("1.5"),
        some("where a = ? and b = ??"),
    ];
    assert_eq!(rows, [values]);
    assert_eq!(clickhouse.sink().rows("select 1 where 0", &[]).await.expect("no rows"), Vec::<Vec<_>>::new());
    let zeros = [("output_format_decimal_trailing_zeros", "1")];
    let rows = clickhouse.sink().rows("select toDecimal64('1.5', 6), toString(toDecimal64('1.5', 6))", &zeros).await;
    assert_eq!(rows.expect("rows"), [vec![some("1.500000"), some("1.5")]], "settings are of the query's output");
}
