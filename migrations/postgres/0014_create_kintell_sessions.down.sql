-- Undoes 0014; indexes go with the table.

drop table kintell_sessions;
