-- Undoes 0042, the last table first; indexes go with their tables.

drop table safety_reviews;
drop table safety_flags;
