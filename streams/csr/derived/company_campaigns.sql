-- What companies' campaigns have spent, as it was when it was looked at last. Derived from the notes of company_days.
with named as materialized (
    select case when key like 'campaign %' then substr(key, 10)::uuid end as id from touched),
counted as materialized (
    select campaign.id as campaign_id, campaign.company_id, campaign.start_date, campaign.end_date, campaign.budget_spent
    from named join program_campaigns as campaign on campaign.id = named.id
    where campaign.company_id is not null and campaign.budget_spent > 0 and campaign.start_date <= campaign.end_date),
known as materialized (
    select known.campaign_id, known.company_id, known.start_date, known.end_date, known.budget_spent
    from named join company_campaigns as known on known.campaign_id = named.id),
removed as (
    delete from company_campaigns as gone using known
    where gone.campaign_id = known.campaign_id and known.campaign_id not in (select campaign_id from counted)),
written as (
    insert into company_campaigns as known (campaign_id, company_id, start_date, end_date, budget_spent)
    select campaign_id, company_id, start_date, end_date, budget_spent from counted
    on conflict (campaign_id) do update set
        company_id = excluded.company_id, start_date = excluded.start_date, end_date = excluded.end_date,
        budget_spent = excluded.budget_spent
    where (known.company_id, known.start_date, known.end_date, known.budget_spent)
          is distinct from (excluded.company_id, excluded.start_date, excluded.end_date, excluded.budget_spent)),
differing as (
    (select * from counted except select * from known) union all (select * from known except select * from counted))
select 'metrics_company_period' as touched, 'since ' || company_id || ' ' || to_char(min(start_date), 'YYYY-MM-DD') as key
from differing group by company_id;
