alter table waiting_events drop column is_told;
