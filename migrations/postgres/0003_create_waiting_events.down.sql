drop table waiting_events;
