-- Undoes 0020, the last column first.

alter table kintell_sessions drop column completed_event;
alter table buddy_feedback drop column created_event;
alter table buddy_checkins drop column created_event;
alter table buddy_events drop column created_event;
