-- A whole snapshot: the latest by (timestamp, event id) wins entirely, an absent field means null. The guard is for
-- redelivery and reordering; a stub made by another event has no snapshot yet and always gives way. A program or company
-- that no event has described yet gets a stub, never a reason to wait.
with programs_known as (
    insert into programs (id, program_key, updated_at)
    select distinct program_id, program_id::text, 'epoch'::timestamptz from batch
    order by 1 on conflict do nothing),
companies_known as (
    insert into companies (id) select distinct company_id from batch order by 1 on conflict do nothing)
insert into program_campaigns as campaign
    (id, campaign_key, program_id, company_id, name, description, status, start_date, end_date, target_enrollment,
     max_enrollment, current_enrollment, budget_allocated, budget_spent, config_overrides, snapshot_at, snapshot_event,
     updated_at)
select distinct on (campaign_id)
    campaign_id, campaign_key, program_id, company_id, name, description, status, start_date, end_date,
    target_enrollment, max_enrollment, current_enrollment, budget_allocated, budget_spent, config_overrides,
    envelope_timestamp, envelope_id, envelope_timestamp
from batch
order by campaign_id, envelope_timestamp desc, envelope_id desc
on conflict (id) do update set
    campaign_key = excluded.campaign_key, program_id = excluded.program_id, company_id = excluded.company_id,
    name = excluded.name, description = excluded.description, status = excluded.status,
    start_date = excluded.start_date, end_date = excluded.end_date, target_enrollment = excluded.target_enrollment,
    max_enrollment = excluded.max_enrollment, current_enrollment = excluded.current_enrollment,
    budget_allocated = excluded.budget_allocated, budget_spent = excluded.budget_spent,
    config_overrides = excluded.config_overrides, snapshot_at = excluded.snapshot_at,
    snapshot_event = excluded.snapshot_event, updated_at = excluded.updated_at
where campaign.snapshot_at is null
   or (excluded.snapshot_at, excluded.snapshot_event) > (campaign.snapshot_at, campaign.snapshot_event)
returning 'company_days' as touched, 'campaign ' || id as key;
