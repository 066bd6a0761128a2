-- Undoes 0022, the last table first; indexes go with their tables.

drop table learning_progress;
drop table learning_reports;
