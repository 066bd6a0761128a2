drop function event_log_ensure_months(date[]);
drop table event_log;
