-- The buddy part of the event store, with the columns that the platform's readers know. The store's rows are
-- unique by event id, so the event id serves as the row's id too; the platform's indexes stand on the store.
create view buddy_system_events as
select event_id as id, event_id, event_type, user_id, "timestamp", payload, correlation_id, processed_at,
    derived_metrics, created_at
from event_log where event_type like 'buddy.%';

create index buddy_events_user_timestamp_idx on event_log (user_id, "timestamp") where event_type like 'buddy.%';
create index buddy_events_event_type_idx on event_log (event_type) where event_type like 'buddy.%';

comment on view buddy_system_events is 'The buddy programme''s events in the event store (its index by event id is the store''s own)';
