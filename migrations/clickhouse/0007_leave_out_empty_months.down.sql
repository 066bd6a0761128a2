create or replace view metrics_monthly as
select
    company_id,
    campaign_id,
    program_id,
    month,
    sums.minutes as minutes,
    sums.minutes / toDecimal128(60, 0) as hours, -- to 6 decimals, what is finer is cut
    sums.rating_sum as rating_sum,
    sums.rating_count as rating_count,
    sums.score_sum as score_sum,
    sums.score_count as score_count,
    sums.enrolled_people as enrolled_people,
    sums.matches as matches,
    sums.events as events,
    sums.skill_shares as skill_shares,
    sums.feedbacks as feedbacks,
    sums.milestones as milestones,
    sums.checkins as checkins,
    sums.sroi_weight as sroi_weight,
    sums.minutes - lagInFrame(toNullable(sums.minutes)) over earlier as minutes_change,
    hours - lagInFrame(toNullable(hours)) over earlier as hours_change,
    toInt64(sums.enrolled_people) - lagInFrame(toNullable(toInt64(sums.enrolled_people))) over earlier
        as enrolled_people_change,
    sums.sroi_weight - lagInFrame(toNullable(sums.sroi_weight)) over earlier as sroi_weight_change
from (
    select
        company_id,
        campaign_id,
        program_id,
        toDate32(concat(formatDateTime(day, '%Y-%m'), '-01')) as month,
        sum(days.minutes) as minutes,
        sum(days.rating_sum) as rating_sum,
        sum(days.rating_count) as rating_count,
        sum(days.score_sum) as score_sum,
        sum(days.score_count) as score_count,
        sum(days.enrolled_people) as enrolled_people,
        sum(days.matches) as matches,
        sum(days.events) as events,
        sum(days.skill_shares) as skill_shares,
        sum(days.feedbacks) as feedbacks,
        sum(days.milestones) as milestones,
        sum(days.checkins) as checkins,
        sum(days.sroi_weight) as sroi_weight
    from metrics_daily as days final
    group by company_id, campaign_id, program_id, month
) as sums
window earlier as (
    partition by company_id, campaign_id, program_id order by month
    rows between 1 preceding and current row);
