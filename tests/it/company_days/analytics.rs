//! ClickHouse and the quarters agree: what adds up to the same there is the same here.

use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;
use uuid::Uuid;

use super::periods::{assert_periods, tellings};
use super::random::{corrections, documents, known, message, moves};
use crate::support::{Csr, World, chance, seeds};

/// Hours, and a hundred times the weight in SROI by what was invested, of each company's quarter, both as shown here.
const HERE: &str =
    "select company_id || ' ' || period as key, concat_ws(' ', total_volunteer_hours, sroi_ratio) as columns,
    total_investment_cents as cents from metrics_company_period";

/// The same, from the rows of a table that has days or months. A view is asked as a table is.
fn there(table: &str, day: &str) -> String {
    format!(
        "select toString(company_id), concat(toString(toYear({day})), '-Q', toString(toQuarter({day}))) as period,
            toString(sum(minutes)), toString(sum(sroi_weight))
         from {table} group by company_id, period
         having sum(minutes) + sum(sroi_weight) + sum(rating_count) + sum(score_count) > 0"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_a_quarter_are_the_same_on_both_sides() {
    let mut chance = chance(seeds(1)[0]);
    let world = World::fed().await;
    let mut log = world.generate(&["--events", "800", "--people", "20"]);
    let told = documents(&log);
    let people: Vec<Uuid> = known(&told).into_keys().collect();
    let mut csr = Csr::new();
    let mut more = moves(&mut csr, &mut chance, &told);
    more.extend(corrections(&mut csr, &mut chance, &people));
    more.extend(tellings(&mut csr, &mut chance, &more, &people));
    log.extend(more.iter().map(message));
    log.shuffle(&mut chance);
    let (first, second) = log.split_at(log.len() / 2);
    for part in [first, second] {
        world.publish(part).await;
        world.drain(&["--workers", "3"]);
        world.feed();
    }
    assert_periods(&world, &documents(&log)).await;

    let rows = world.rows(HERE).await;
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let cents: BTreeMap<String, f64> =
        rows.iter().map(|row| (text(&row["key"]), row["cents"].as_f64().expect("a number"))).collect();
    let here: BTreeMap<String, String> = rows.iter().map(|row| (text(&row["key"]), text(&row["columns"]))).collect();
    assert!(here.len() > 8, "{here:?}");
    for (table, day) in [("metrics_daily final", "day"), ("metrics_monthly", "month")] {
        let shown = |line: &String| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [minutes, weight] = [2, 3].map(|at| fields[at].parse::<f64>().expect("a number"));
            let key = format!("{} {}", fields[0], fields[1]);
            let ratio = weight * 100.0 / cents.get(&key).copied().unwrap_or(f64::NAN);
            (key, format!("{} {ratio:.2}", (minutes / 60.0 + 0.5).floor()))
        };
        let lines = world.analytics().lines(&there(table, day));
        let there: BTreeMap<String, String> = lines.iter().map(shown).collect();
        assert_eq!(here, there, "{table}");
    }
    // The middle of all companies, where there are enough to compare.
    let benchmarks = "select period, round(p50, 6) from benchmarks
        where cohort = 'overall' and metric = 'sroi_weight' and position(period, 'Q') > 0 order by period";
    let benchmarks = world.analytics().lines(benchmarks);
    assert!(!benchmarks.is_empty());
    for line in benchmarks {
        let (period, middle) = line.split_once('\t').expect("two columns");
        let sql = format!(
            "select (percentile_cont(0.5) within group (order by weight) * 1000)::int8 from (
                select metrics.company_id, (select sum(sroi_weight) from company_days as days
                    where days.company_id = metrics.company_id and day between period_start and period_end) as weight
                from metrics_company_period as metrics where period = '{period}') as weights"
        );
        let here = world.number(&sql).await;
        let there = middle.parse::<f64>().expect("a number") * 1000.0;
        assert!((there - f64::from(i32::try_from(here).expect("small"))).abs() < 1.0, "{period}: {here} and {there}");
    }
}
