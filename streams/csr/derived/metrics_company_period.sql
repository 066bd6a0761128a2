-- Quarters of companies: the sums of their days, whom they count, and what their campaigns spent.
--
-- A key is `quarter`, a company and a day of the quarter that it did something in, or `since`, a company and a day: then
-- the company's quarters from that on are computed again. Both are returned by what is derived before this.
with settings (default_investment_cents, hours_full) as (
    -- Where campaigns have spent nothing: 1500 a month. So many hours in a quarter are all of VIS's share for hours.
    values (450000::numeric, 1000::numeric)),
vis (hours, quality, lift, placement) as (
    -- Of 100 points.
    values (30::numeric, 30::numeric, 25::numeric, 15::numeric)),
named as materialized (
    select split_part(key, ' ', 1) as kind, split_part(key, ' ', 2)::uuid as company_id,
        date_trunc('quarter', split_part(key, ' ', 3)::timestamp)::date as start
    from touched),
quarters as materialized (
    select company_id, start, (start + interval '3 months')::date as next
    from (
        select company_id, start from named where kind = 'quarter'
        union
        -- The lift of the next one is against this one.
        select company_id, (start + interval '3 months')::date from named where kind = 'quarter'
        union
        select known.company_id, known.period_start
        from named join metrics_company_period as known
          on known.company_id = named.company_id and known.period_start >= named.start
        where named.kind = 'since') as asked),
inputs as materialized (
    select quarters.*, days.*, before.score_sum as score_sum_before, before.score_count as score_count_before,
        people.*, coalesce(spent.cents, settings.default_investment_cents) as investment_cents, settings.hours_full
    from quarters
    cross join settings
    cross join lateral (
        select coalesce(sum(minutes), 0) as minutes, coalesce(sum(rating_sum), 0) as rating_sum,
            coalesce(sum(rating_count), 0) as rating_count, coalesce(sum(score_sum), 0) as score_sum,
            coalesce(sum(score_count), 0) as score_count, coalesce(sum(integration_sum), 0) as integration_sum,
            coalesce(sum(integration_count), 0) as integration_count, coalesce(sum(language_sum), 0) as language_sum,
            coalesce(sum(language_count), 0) as language_count, coalesce(sum(job_readiness_sum), 0) as job_readiness_sum,
            coalesce(sum(job_readiness_count), 0) as job_readiness_count,
            coalesce(sum(skill_shares + events), 0) as sessions, coalesce(sum(sroi_weight), 0) as sroi_weight,
            coalesce(sum(matches + events + skill_shares + feedbacks + milestones + checkins), 0) as returns
        from company_days
        where company_id = quarters.company_id and day >= quarters.start and day < quarters.next) as days
    cross join lateral (
        select coalesce(sum(score_sum), 0) as score_sum, coalesce(sum(score_count), 0) as score_count
        from company_days
        where company_id = quarters.company_id
          and day >= (quarters.start - interval '3 months')::date and day < quarters.start) as before
    cross join lateral (
        select count(*) filter (where measure = 'enrolled') as enrolled,
            count(*) filter (where measure = 'placed') as placed,
            count(*) filter (where measure = 'participant') as participants,
            count(distinct user_id) filter (where measure = 'volunteer' and (until is null or until >= quarters.start))
                as volunteers
        from company_people
        where company_id = quarters.company_id and since < quarters.next) as people
    -- The days of both, the last ones included, by the days of the campaign.
    cross join lateral (
        select sum(budget_spent::numeric * (least(end_date + 1, quarters.next) - greatest(start_date, quarters.start))
                   / (end_date + 1 - start_date)) as cents
        from company_campaigns
        where company_id = quarters.company_id and start_date < quarters.next and end_date >= quarters.start) as spent),
computed as materialized (
    select company_id, to_char(start, 'YYYY"-Q"Q') as period, start as period_start, next - 1 as period_end,
        participants as participants_count, volunteers as volunteers_count,
        least(sessions, 2147483647) as sessions_count,
        round(integration_sum / nullif(integration_count, 0), 3) as avg_integration_score,
        round(language_sum / nullif(language_count, 0), 3) as avg_language_level,
        round(job_readiness_sum / nullif(job_readiness_count, 0), 3) as avg_job_readiness,
        -- Rounded in two steps, so that what is a half stays one after a division.
        least(round(round(sroi_weight * 100 / investment_cents, 12), 2), 9999.99) as sroi_ratio,
        least(greatest(round(round(
            vis.hours * least(minutes / 60 / hours_full, 1)
            + coalesce(vis.quality * rating_sum / nullif(rating_count, 0), 0)
            + coalesce(vis.lift * greatest(score_sum / nullif(score_count, 0)
                                           - score_sum_before / nullif(score_count_before, 0), 0), 0)
            + coalesce(vis.placement * placed / nullif(enrolled, 0), 0), 12), 2), 0), 100) as vis_score,
        least(round(minutes / 60), 2147483647) as total_volunteer_hours,
        least(round(investment_cents), 9223372036854775807) as total_investment_cents
    from inputs cross join vis
    where minutes > 0 or rating_count > 0 or score_count > 0 or returns > 0),
removed as (
    delete from metrics_company_period as known using quarters
    where known.company_id = quarters.company_id and known.period_start = quarters.start
      and not exists (
          select from computed
          where computed.company_id = known.company_id and computed.period_start = known.period_start))
insert into metrics_company_period as known
    (company_id, period, period_start, period_end, participants_count, volunteers_count, sessions_count,
     avg_integration_score, avg_language_level, avg_job_readiness, sroi_ratio, vis_score, total_volunteer_hours,
     total_investment_cents)
select * from computed
on conflict (company_id, period) do update set
    participants_count = excluded.participants_count, volunteers_count = excluded.volunteers_count,
    sessions_count = excluded.sessions_count, avg_integration_score = excluded.avg_integration_score,
    avg_language_level = excluded.avg_language_level, avg_job_readiness = excluded.avg_job_readiness,
    sroi_ratio = excluded.sroi_ratio, vis_score = excluded.vis_score,
    total_volunteer_hours = excluded.total_volunteer_hours, total_investment_cents = excluded.total_investment_cents,
    updated_at = now()
where (known.participants_count, known.volunteers_count, known.sessions_count, known.avg_integration_score,
       known.avg_language_level, known.avg_job_readiness, known.sroi_ratio, known.vis_score,
       known.total_volunteer_hours, known.total_investment_cents)
      is distinct from
      (excluded.participants_count, excluded.volunteers_count, excluded.sessions_count, excluded.avg_integration_score,
       excluded.avg_language_level, excluded.avg_job_readiness, excluded.sroi_ratio, excluded.vis_score,
       excluded.total_volunteer_hours, excluded.total_investment_cents);
