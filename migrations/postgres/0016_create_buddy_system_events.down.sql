drop index buddy_events_event_type_idx;
drop index buddy_events_user_timestamp_idx;
drop view buddy_system_events;
