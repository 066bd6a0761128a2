-- Kept as it was told; the course follows from all that was told of it. The guard is for an event that is projected again.
with told as (
    insert into learning_reports
        (event_id, event_at, kind, user_id, provider, course_id, course_name, told_at,
         progress_id, status, progress_percent)
    select envelope_id, envelope_timestamp, 'progress', user_id, provider, course_id, course_name, updated_at,
        progress_id, status, progress_percent
    from batch
    on conflict (event_id) do nothing
    returning event_id, user_id)
select distinct derived.touched, told.user_id::text as key
from told cross join (values ('courses'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'course ' || event_id from told;
