drop table if exists events_raw sync;
