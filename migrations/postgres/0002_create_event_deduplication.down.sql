drop table event_deduplication;
