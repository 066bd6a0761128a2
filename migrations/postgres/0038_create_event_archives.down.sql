drop table event_archives;
