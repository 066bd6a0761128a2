-- Nothing is known any more of whoever is erased but what they did, by an id. In whatever order this and all the rest
-- comes, and however often, the tables say the same: what comes later meets the keys that are destroyed here.
select gone.touched, gone.key
from (select * from batch order by user_id, envelope_timestamp, envelope_id) as b
cross join lateral erase_person(
    b.envelope_id, b.user_id, array(select jsonb_array_elements_text(b.identities)::uuid),
    array(select jsonb_array_elements_text(b.aliases)::uuid), b.erased_at) as gone;

-- The request is answered by it. The earliest by (timestamp, event id) counts, as for any other request.
insert into dsar_requests as known
    (id, user_id, request_type, status, completed_at, completed_event, completed_event_at)
select distinct on (request_id)
    request_id, coalesce((select id from users where id = b.user_id),
                         (select user_id from user_emails where derived_user_id = b.user_id)),
    'deletion', 'completed', erased_at, envelope_id, envelope_timestamp
from batch as b
where request_id is not null
order by request_id, envelope_timestamp, envelope_id
on conflict (id) do update set
    user_id = case when known.opened_event is null then excluded.user_id else known.user_id end,
    request_type = case when known.opened_event is null then excluded.request_type else known.request_type end,
    status = 'completed', completed_at = excluded.completed_at,
    completed_event = excluded.completed_event, completed_event_at = excluded.completed_event_at
where known.completed_event is null
   or (excluded.completed_event_at, excluded.completed_event) < (known.completed_event_at, known.completed_event);
