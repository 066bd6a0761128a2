-- Kept as it was told; the course follows from all that was told of it. The guard is for an event that is projected again.
with programs_known as (
    insert into programs (id, program_key, updated_at)
    select distinct program_id, program_id::text, 'epoch'::timestamptz from batch where program_id is not null
    order by 1 on conflict do nothing),
campaigns_known as (
    insert into program_campaigns (id, campaign_key, updated_at)
    select distinct campaign_id, campaign_id::text, 'epoch'::timestamptz from batch where campaign_id is not null
    order by 1 on conflict do nothing),
told as (
    insert into learning_reports
        (event_id, event_at, kind, user_id, provider, course_id, course_name, told_at,
         progress_id, credential_ref, program_id, campaign_id, metadata)
    select envelope_id, envelope_timestamp, 'completion', user_id, provider, course_id, course_name, completed_at,
        progress_id, credential_ref, program_id, campaign_id,
        jsonb_strip_nulls(jsonb_build_object('final_score', final_score))
    from batch
    on conflict (event_id) do nothing
    returning event_id, user_id)
select distinct derived.touched, told.user_id::text as key
from told cross join (values ('courses'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'course ' || event_id from told;
