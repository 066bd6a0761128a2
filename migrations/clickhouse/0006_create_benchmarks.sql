-- How companies compare: percentiles over the companies of a cohort, by quarter (`2026-Q1`) and year (`2026`). A cohort is
-- everybody (`overall`), an industry (`industry:x`) or a country (`country:x`).
--
-- Of a company everything counts that it did in the period, whatever the campaign. Hours and SROI weight are zero where it
-- did something else only; a mean rating or score is missing where there was none. Where fewer than five companies have a
-- value, the percentiles are not shown: they would tell what a single one did. Percentiles are exact, interpolated between
-- the two companies next to them (`quantileExactInclusive`), and Float64, as the interpolation is.
create view if not exists benchmarks as
with
    periods as (
        select
            company_id,
            arrayJoin([concat(toString(toYear(day)), '-Q', toString(toQuarter(day))), toString(toYear(day))]) as period,
            sum(minutes) as minutes,
            sum(sroi_weight) as sroi_weight,
            sum(rating_sum) as rating_sum,
            sum(rating_count) as rating_count,
            sum(score_sum) as score_sum,
            sum(score_count) as score_count,
            sum(matches + events + skill_shares + feedbacks + milestones + checkins + enrolled_people) as things
        from metrics_daily final
        group by company_id, period
        having minutes > 0 or rating_count > 0 or score_count > 0 or things > 0
    ),
    cohorts as (
        select company_id, pair.1 as cohort_kind, pair.2 as cohort
        from companies final
        array join arrayFilter(one -> one.2 is not null, [
            ('overall', toNullable('overall')),
            ('industry', concat('industry:', toString(industry))),
            ('country', concat('country:', toString(country)))]) as pair
    ),
    values as (
        select company_id, period, pair.1 as metric, pair.2 as value
        from periods
        array join arrayFilter(one -> one.2 is not null, [
            ('volunteer_hours', toNullable(toFloat64(minutes) / 60)),
            ('sroi_weight', toNullable(toFloat64(sroi_weight))),
            ('rating_mean', if(rating_count > 0, toFloat64(rating_sum) / rating_count, null)),
            ('score_mean', if(score_count > 0, toFloat64(score_sum) / score_count, null))]) as pair
    )
select
    period,
    metric,
    cohort_kind,
    assumeNotNull(cohort) as cohort,
    count() as companies,
    quantileExactInclusive(0.1)(assumeNotNull(value)) as p10,
    quantileExactInclusive(0.25)(assumeNotNull(value)) as p25,
    quantileExactInclusive(0.5)(assumeNotNull(value)) as p50,
    quantileExactInclusive(0.75)(assumeNotNull(value)) as p75,
    quantileExactInclusive(0.9)(assumeNotNull(value)) as p90
from values
inner join cohorts using (company_id)
group by period, metric, cohort_kind, cohort
having companies >= 5;
