-- The earliest completion by (timestamp, event id) counts: the guard is for a second one, redelivered or late. Whose
-- request it is says the opening, if it is known; a completion alone makes the row.
insert into dsar_requests as known
    (id, user_id, request_type, status, completed_at, completed_event, completed_event_at)
select distinct on (request_id)
    request_id, user_id, request_type, 'completed', completed_at, envelope_id, envelope_timestamp
from batch
order by request_id, envelope_timestamp, envelope_id
on conflict (id) do update set
    user_id = case when known.opened_event is null then excluded.user_id else known.user_id end,
    request_type = case when known.opened_event is null then excluded.request_type else known.request_type end,
    status = 'completed', completed_at = excluded.completed_at,
    completed_event = excluded.completed_event, completed_event_at = excluded.completed_event_at
where known.completed_event is null
   or (excluded.completed_event_at, excluded.completed_event) < (known.completed_event_at, known.completed_event);
