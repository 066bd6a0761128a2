-- An entity has one creating event; a second one under another event id is stored and changes nothing. Whoever counts
-- by events has to know which of them made the row, so the row says so.

alter table buddy_events add column created_event uuid;
alter table buddy_checkins add column created_event uuid;
alter table buddy_feedback add column created_event uuid;
alter table kintell_sessions add column completed_event uuid;

comment on column buddy_events.created_event is 'The event that made the row; for a video_call the skill share''s';
comment on column buddy_checkins.created_event is 'The event that made the row';
comment on column buddy_feedback.created_event is 'The event that made the row';
comment on column kintell_sessions.completed_event is 'The event whose completion the row shows (for a skill share the one that made it); null while only scheduled';
