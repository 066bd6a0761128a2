-- The earliest opening by (timestamp, event id) counts: the guard is for a second one, redelivered or late. Whether the
-- request is completed stays as it is.
insert into dsar_requests as known (id, user_id, request_type, status, created_at, opened_event, opened_event_at)
select distinct on (request_id)
    request_id, user_id, request_type, 'pending', opened_at, envelope_id, envelope_timestamp
from batch
order by request_id, envelope_timestamp, envelope_id
on conflict (id) do update set
    user_id = excluded.user_id, request_type = excluded.request_type, created_at = excluded.created_at,
    opened_event = excluded.opened_event, opened_event_at = excluded.opened_event_at
where known.opened_event is null
   or (excluded.opened_event_at, excluded.opened_event) < (known.opened_event_at, known.opened_event);
