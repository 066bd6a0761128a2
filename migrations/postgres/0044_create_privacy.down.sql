-- Undoes 0044, the last table first; indexes go with their tables.

drop table dsar_requests;
drop table consents;
