-- Undoes 0034.

drop table audit_logs;
