-- Undoes 0043, the last table first; indexes go with their tables.

drop table placement_people;
drop table placements;
