alter table dead_letters drop column is_replayed;
alter table waiting_events drop column is_told;
