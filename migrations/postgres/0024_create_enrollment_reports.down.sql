-- Undoes 0024; indexes go with the table.

drop table enrollment_reports;
