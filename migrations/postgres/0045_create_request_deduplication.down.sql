-- Undoes 0045, the last table first; indexes go with their tables.

drop table api_request_deduplication;
drop table webhook_deduplication;
