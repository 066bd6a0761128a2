//! Mirrored tables: ClickHouse has the latest version of each row, whatever was carried before.

use serde_json::Value;

use crate::support::World;

const HERE: &str =
    "select coalesce(jsonb_agg(jsonb_build_array(company_id, campaign_id, program_id, day, trim_scale(minutes)::text,
        trim_scale(rating_sum)::text, rating_count, matches, events, trim_scale(sroi_weight)::text, version)
    order by version), '[]') as rows from company_days";
const THERE: &str =
    "select toJSONString(groupArray((toString(company_id), toString(campaign_id), toString(program_id), toString(day),
        toString(minutes), toString(rating_sum), rating_count, matches, events, toString(sroi_weight), version)))
    from (select * from metrics_daily final order by version) settings output_format_json_quote_64bit_integers = 0";

async fn is_mirrored(world: &World) {
    let here = world.rows(HERE).await[0]["rows"].clone();
    let there: Value = serde_json::from_str(&world.analytics().lines(THERE)[0].replace("\\\"", "\"")).expect("rows");
    assert!(here.as_array().is_some_and(|rows| rows.len() > 20), "{here}");
    assert_eq!(here, there);
    let companies = world.number("select count(*) from companies").await;
    assert_eq!(world.analytics().number("select count() from companies final"), companies);
}

async fn commit(world: &World, people: &str, seed: &str) {
    world.publish(&world.generate(&["--events", "1500", "--people", people, "--seed", seed])).await;
    world.drain(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_version_of_each_row_is_there_whatever_was_carried_before() {
    let world = World::fed().await;
    commit(&world, "100", "5").await;
    world.feed();
    is_mirrored(&world).await;

    // As after an insert whose answer was lost: it is there and not marked, and rows have changed since.
    world.execute("update feed_mirrors set version = 0").await;
    commit(&world, "100", "6").await;
    world.feed();
    is_mirrored(&world).await;
    world.is_well(&[]);

    // Carried beyond the mark by a rebuild, and changed afterwards.
    world.execute("update feed_mirrors set version = version - 20").await;
    world.succeed(&["rebuild", "analytics"]);
    commit(&world, "100", "7").await;
    world.feed();
    is_mirrored(&world).await;

    world.analytics().execute("alter table metrics_daily delete where matches > 0 settings mutations_sync = 2");
    let (is_well, proof) = world.judged(&[]);
    assert!(
        !is_well && proof["problems"][0].as_str().is_some_and(|problem| problem.starts_with("metrics_daily")),
        "{proof}"
    );
    world.is_well(&["--repair"]);
    is_mirrored(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn months_are_sums_of_days_and_few_companies_are_no_benchmark() {
    let world = World::fed().await;
    commit(&world, "400", "5").await;
    world.feed();
    let clickhouse = world.analytics();
    let days = "select company_id, campaign_id, program_id, substring(toString(day), 1, 7) as of,
            sum(minutes), sum(matches), sum(rating_count)
        from metrics_daily final where minutes + sroi_weight + rating_count + score_count + enrolled_people > 0
        group by company_id, campaign_id, program_id, of order by company_id, campaign_id, program_id, of";
    let months = "select company_id, campaign_id, program_id, substring(toString(month), 1, 7) as of,
            minutes, matches, rating_count
        from metrics_monthly order by company_id, campaign_id, program_id, of";
    let months = clickhouse.lines(months);
    assert!(months.len() > 20, "{months:#?}");
    assert_eq!(months, clickhouse.lines(days));
    // The changes from month to month add up to the last month less the first, in each of the groups.
    let groups =
        "(select ifNull(sum(minutes_change), 0) as change, argMax(minutes, month) - argMin(minutes, month) as moved
        from metrics_monthly group by company_id, campaign_id, program_id)";
    assert!(clickhouse.number(&format!("select count() from {groups} where moved <> 0")) > 5);
    assert_eq!(clickhouse.number(&format!("select count() from {groups} where change <> moved")), 0);
    assert!(clickhouse.number("select count() from benchmarks where cohort = 'overall'") > 0);
    assert_eq!(clickhouse.number("select count() from benchmarks where companies < 5"), 0);
    let keep = "alter table metrics_daily delete where company_id not in
        (select distinct company_id from metrics_daily order by company_id limit 4) settings mutations_sync = 2";
    clickhouse.execute(keep);
    assert_eq!(clickhouse.number("select count() from benchmarks"), 0, "four companies are too few");
}

/// Other rows with other versions are in the place of those that were carried.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_rebuilt_tables_follow() {
    let world = World::fed().await;
    commit(&world, "100", "5").await;
    world.feed();
    let damage = "update company_days set minutes = minutes + 60, version = nextval('company_days_version_seq')
         where minutes > 0";
    world.execute(damage).await;
    world.feed();
    is_mirrored(&world).await;
    for (how, seed) in [("--all", "6"), ("--rollback", "7")] {
        world.succeed(&["rebuild", how]);
        commit(&world, "100", seed).await;
        world.feed();
        is_mirrored(&world).await;
        world.is_well(&[]);
    }
}
