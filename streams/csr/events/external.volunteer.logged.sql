-- A whole snapshot: the latest by (timestamp, event id) wins entirely, in whichever form it is told. The guard is for
-- redelivery and reordering.
with companies_known as (
    insert into companies (id) select distinct company_id from batch order by 1 on conflict do nothing)
insert into volunteering as known
    (source, source_id, user_id, company_id, hours, activity_date, activity_name, activity_type, verified,
     snapshot_at, snapshot_event)
select distinct on (source, external_id)
    source, external_id, user_id, company_id, hours, activity_date, activity_name, activity_type,
    false, envelope_timestamp, envelope_id
from batch
order by source, external_id, envelope_timestamp desc, envelope_id desc
on conflict (source, source_id) do update set
    user_id = excluded.user_id, company_id = excluded.company_id, hours = excluded.hours,
    activity_date = excluded.activity_date, activity_name = excluded.activity_name,
    activity_type = excluded.activity_type, verified = excluded.verified,
    snapshot_at = excluded.snapshot_at, snapshot_event = excluded.snapshot_event
where (excluded.snapshot_at, excluded.snapshot_event) > (known.snapshot_at, known.snapshot_event)
returning 'company_days' as touched, 'volunteering ' || source || ' ' || source_id as key;

-- Whom it names is remembered: what was said of people whom a later telling does not name is taken back.
insert into volunteering_people (source, source_id, user_id)
select distinct source, external_id, user_id from batch order by 1, 2, 3
on conflict do nothing;
