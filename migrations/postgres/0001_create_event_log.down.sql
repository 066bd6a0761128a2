drop function event_log_ensure_months(date[]);
drop function event_log_withdraw(bigint[]);
drop table event_log;
