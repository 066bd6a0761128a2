-- One row per event and person, with an id made from both, so that it is the same whoever tells it first. The person as
-- the event names them: under which id they are known here may change. Where somebody erased was is not kept.
insert into buddy_events (id, match_id, user_id, event_type, event_date, description, location, metadata, created_event)
select distinct on (attendance.id)
    attendance.id, match_id, user_id, event_type, attended_at, case when not is_erased then event_title end,
    case when not is_erased then location end,
    jsonb_strip_nulls(jsonb_build_object(
        'event_format', event_format, 'duration_minutes', duration_minutes, 'attendee_count', attendee_count,
        'organizer', organizer, 'categories', categories, 'sdg_goals', sdg_goals)),
    envelope_id
from batch
cross join lateral derived_id('milepost:attended:' || event_id || ':' || lower(data ->> 'userId')) as attendance (id)
cross join lateral (
    select exists (
        select from subject_keys
        where subject in (subject_of('person', user_id::text), subject_of('match', match_id::text))
          and destroyed_at is not null)) as gone (is_erased)
order by attendance.id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'company_days' as touched, 'event ' || id as key;
