-- Claims that were pruned come back: without them their events could be taken a second time.
insert into event_deduplication (event_id, event_type, consumer_id, processed_at, content_hash)
select event_ids.event_id::text, coalesce(event_log.event_type, 'unknown'), stream.consumer, now(), event_ids.content_hash
from event_ids
left join event_log using (event_id)
cross join (select coalesce(min(consumer_id), 'milepost') as consumer from event_deduplication) as stream
on conflict do nothing;
drop function event_deduplication_prune(text, timestamptz, timestamptz, uuid, integer);
drop table event_ids;
