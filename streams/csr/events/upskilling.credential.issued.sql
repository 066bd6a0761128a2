-- Kept as it was told; the course follows from all that was told of it. The guard is for an event that is projected again.
with told as (
    insert into learning_reports
        (event_id, event_at, kind, user_id, provider, course_id, course_name, told_at, credential_ref, metadata)
    select envelope_id, envelope_timestamp, 'credential', user_id, provider, course_id, course_name, issued_at,
        credential_id::text,
        jsonb_strip_nulls(jsonb_build_object(
            'credential_type', credential_type, 'credential_url', credential_url, 'expires_at', data -> 'expiresAt',
            'verification_code', verification_code))
    from batch
    on conflict (event_id) do nothing
    returning event_id, user_id)
select distinct derived.touched, told.user_id::text as key
from told cross join (values ('courses'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'course ' || event_id from told;
