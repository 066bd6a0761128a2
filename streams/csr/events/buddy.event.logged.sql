-- One creating event per entry: a second one under another event id changes nothing.
insert into buddy_events (id, match_id, event_type, event_date, description, location, created_event)
select distinct on (event_id) event_id, match_id, event_type, event_date, description, location, envelope_id
from batch
order by event_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'company_days' as touched, 'event ' || id as key;
