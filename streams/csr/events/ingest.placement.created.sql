-- A whole snapshot: the latest by (timestamp, event id) wins entirely. The guard is for redelivery and reordering.
with companies_known as (
    insert into companies (id) select distinct company_id from batch order by 1 on conflict do nothing)
insert into placements as known
    (source_system, source_id, user_id, company_id, placement_type, status, placement_date, start_date, end_date,
     mentor_ref, snapshot_at, snapshot_event)
select distinct on (source_system, source_id)
    source_system, source_id, user_id, company_id, placement_type, status, placement_date, start_date, end_date,
    mentor_id, envelope_timestamp, envelope_id
from batch
order by source_system, source_id, envelope_timestamp desc, envelope_id desc
on conflict (source_system, source_id) do update set
    user_id = excluded.user_id, company_id = excluded.company_id, placement_type = excluded.placement_type,
    status = excluded.status, placement_date = excluded.placement_date, start_date = excluded.start_date,
    end_date = excluded.end_date, mentor_ref = excluded.mentor_ref,
    snapshot_at = excluded.snapshot_at, snapshot_event = excluded.snapshot_event
where (excluded.snapshot_at, excluded.snapshot_event) > (known.snapshot_at, known.snapshot_event)
returning 'company_days' as touched, 'placement ' || source_system || ' ' || source_id as key;

-- Whom it names is remembered: what counted for people whom a later snapshot does not name is taken back.
insert into placement_people (source_system, source_id, user_id)
select distinct source_system, source_id, user_id from batch order by 1, 2, 3
on conflict do nothing;
