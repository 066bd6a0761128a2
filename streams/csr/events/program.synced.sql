-- A whole snapshot: the latest by (timestamp, event id) wins entirely, an absent field means null. The guard is for
-- redelivery and reordering; a stub made by another event has no snapshot yet and always gives way. A template or group
-- that no event has described yet gets a stub, never a reason to wait.
with templates_known as (
    insert into program_templates (id, updated_at)
    select distinct template_id, 'epoch'::timestamptz from batch where template_id is not null
    order by 1 on conflict do nothing),
groups_known as (
    insert into beneficiary_groups (id, updated_at)
    select distinct beneficiary_group_id, 'epoch'::timestamptz from batch where beneficiary_group_id is not null
    order by 1 on conflict do nothing)
insert into programs as program
    (id, program_key, template_id, name, description, program_type, beneficiary_group_id, status, config,
     config_overrides, start_date, end_date, snapshot_at, snapshot_event, updated_at)
select distinct on (program_id)
    program_id, program_key, template_id, name, description, program_type, beneficiary_group_id, status, config,
    config_overrides, start_date, end_date, envelope_timestamp, envelope_id, envelope_timestamp
from batch
order by program_id, envelope_timestamp desc, envelope_id desc
on conflict (id) do update set
    program_key = excluded.program_key, template_id = excluded.template_id, name = excluded.name,
    description = excluded.description, program_type = excluded.program_type,
    beneficiary_group_id = excluded.beneficiary_group_id, status = excluded.status, config = excluded.config,
    config_overrides = excluded.config_overrides, start_date = excluded.start_date, end_date = excluded.end_date,
    snapshot_at = excluded.snapshot_at, snapshot_event = excluded.snapshot_event, updated_at = excluded.updated_at
where program.snapshot_at is null
   or (excluded.snapshot_at, excluded.snapshot_event) > (program.snapshot_at, program.snapshot_event);
