-- One creating event per entry: a second one under another event id changes nothing. What the two did, in words, is not
-- kept when one of them was erased.
insert into buddy_events (id, match_id, event_type, event_date, description, location, created_event)
select distinct on (event_id)
    event_id, match_id, event_type, event_date, case when gone.subject is null then description end,
    case when gone.subject is null then location end, envelope_id
from batch
left join subject_keys as gone on gone.subject = subject_of('match', match_id::text) and gone.destroyed_at is not null
order by event_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'company_days' as touched, 'event ' || id as key;
