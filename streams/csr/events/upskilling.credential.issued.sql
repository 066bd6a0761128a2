-- Kept as it was told; the course follows from all that was told of it. What shows others whose credential it is is not
-- kept of somebody who was erased. The guard is for an event that is projected again.
with told as (
    insert into learning_reports
        (event_id, event_at, kind, user_id, provider, course_id, course_name, told_at, credential_ref, metadata)
    select envelope_id, envelope_timestamp, 'credential', user_id, provider, course_id, course_name, issued_at,
        credential_id::text,
        jsonb_strip_nulls(jsonb_build_object(
            'credential_type', credential_type, 'expires_at', data -> 'expiresAt',
            'credential_url', case when gone.subject is null then credential_url end,
            'verification_code', case when gone.subject is null then verification_code end))
    from batch
    left join subject_keys as gone
      on gone.subject = subject_of('person', user_id::text) and gone.destroyed_at is not null
    on conflict (event_id) do nothing
    returning event_id, user_id)
select distinct derived.touched, told.user_id::text as key
from told cross join (values ('courses'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'course ' || event_id from told;
