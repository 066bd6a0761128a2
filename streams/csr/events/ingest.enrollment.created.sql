-- A whole snapshot: the latest by (timestamp, event id) wins entirely. The guard is for redelivery and reordering. Its row
-- stays locked, so that the next statements work on what is the latest until this transaction ends.
with companies_known as (
    insert into companies (id) select distinct company_id from batch order by 1 on conflict do nothing)
insert into enrollment_reports as known
    (source_system, source_id, user_id, company_id, program_type, program_ref, status, enrolled_at, completed_at,
     snapshot_at, snapshot_event)
select distinct on (source_system, source_id)
    source_system, source_id, user_id, company_id,
    case program_type
        when 'language_course' then 'language'
        when 'mentorship_program' then 'mentorship'
        when 'buddy_program' then 'buddy'
        when 'upskilling_course' then 'upskilling'
        when 'certification_program' then 'upskilling'
    end,
    program_id,
    case status when 'completed' then 'completed' when 'withdrawn' then 'dropped' when 'failed' then 'dropped'
                else 'active' end,
    enrollment_date, case when status = 'completed' then completion_date end,
    envelope_timestamp, envelope_id
from batch
order by source_system, source_id, envelope_timestamp desc, envelope_id desc
on conflict (source_system, source_id) do update set
    user_id = excluded.user_id, company_id = excluded.company_id, program_type = excluded.program_type,
    program_ref = excluded.program_ref, status = excluded.status, enrolled_at = excluded.enrolled_at,
    completed_at = excluded.completed_at, snapshot_at = excluded.snapshot_at, snapshot_event = excluded.snapshot_event
where (excluded.snapshot_at, excluded.snapshot_event) > (known.snapshot_at, known.snapshot_event)
returning 'company_days' as touched, 'enrollment ' || source_system || ' ' || source_id as key;

-- A kind that has no program type has no row, nor does one that has become of that kind.
delete from program_enrollments as enrollments
using enrollment_reports as reports
where (reports.source_system, reports.source_id) in (select source_system, source_id from batch)
  and reports.program_type is null
  and enrollments.source_system = reports.source_system and enrollments.source_id = reports.source_id;

insert into program_enrollments as known
    (source_system, source_id, user_id, program_type, status, enrolled_at, completed_at)
select source_system, source_id, user_id, program_type, status, enrolled_at, completed_at
from enrollment_reports
where (source_system, source_id) in (select source_system, source_id from batch) and program_type is not null
order by source_system, source_id
on conflict (source_system, source_id) where source_id is not null do update set
    user_id = excluded.user_id, program_type = excluded.program_type, status = excluded.status,
    enrolled_at = excluded.enrolled_at, completed_at = excluded.completed_at
where (known.user_id, known.program_type, known.status, known.enrolled_at, known.completed_at)
      is distinct from
      (excluded.user_id, excluded.program_type, excluded.status, excluded.enrolled_at, excluded.completed_at);

-- Whom it names is remembered: what was said of people whom a later snapshot does not name is taken back.
insert into enrollment_report_people (source_system, source_id, user_id)
select distinct source_system, source_id, user_id from batch order by 1, 2, 3
on conflict do nothing;
