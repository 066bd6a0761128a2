-- Undoes 0025; indexes go with the table.

drop table volunteering;
