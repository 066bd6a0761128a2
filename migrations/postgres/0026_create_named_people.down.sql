-- Undoes 0026; indexes go with the tables.

drop table volunteering_people;
drop table enrollment_report_people;
drop table kintell_session_people;
