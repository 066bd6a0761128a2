-- Undoes 0013, the last table first; indexes go with their tables.

drop table buddy_feedback;
drop table buddy_checkins;
drop table buddy_events;
drop table buddy_matches;
