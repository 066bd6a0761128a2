-- An entity has one creating event; a second one under another event id is stored and changes nothing. Whoever counts
-- by events has to know which of them made the row, so the row says so.

alter table buddy_events add column created_event uuid;
alter table buddy_checkins add column created_event uuid;
alter table buddy_feedback add column created_event uuid;
alter table kintell_sessions add column completed_event uuid;

-- Rows that are there already were made by the earliest event that tells of them.
create temporary table creations on commit drop as
select distinct on (entity_id) entity_id, event_id
from event_log
cross join lateral (select case event_type
    when 'buddy.event.logged' then (payload #>> '{data,eventId}')::uuid
    when 'buddy.event.attended' then derived_id('milepost:attended:' || lower(payload #>> '{data,eventId}') || ':'
                                                || lower(payload #>> '{data,userId}'))
    when 'buddy.skill_share.completed' then (payload #>> '{data,sessionId}')::uuid
    when 'buddy.checkin.completed' then (payload #>> '{data,checkinId}')::uuid
    when 'buddy.feedback.submitted' then (payload #>> '{data,feedbackId}')::uuid end) as entity (entity_id)
where processed_at is not null and version = 'v1' and entity_id is not null
order by entity_id, "timestamp", event_id;

update buddy_events as entry set created_event = event_id from creations where entity_id = entry.id;
update buddy_events as entry set created_event = event_id from creations
where entry.event_type = 'video_call' and entry.id = derived_id('milepost:video_call:' || entity_id);
update buddy_checkins as entry set created_event = event_id from creations where entity_id = entry.id;
update buddy_feedback as entry set created_event = event_id from creations where entity_id = entry.id;
update kintell_sessions as entry set completed_event = event_id from creations where entity_id = entry.id;

comment on column buddy_events.created_event is 'The event that made the row; for a video_call the skill share''s';
comment on column buddy_checkins.created_event is 'The event that made the row';
comment on column buddy_feedback.created_event is 'The event that made the row';
comment on column kintell_sessions.completed_event is 'The event whose completion the row shows (for a skill share the one that made it); null while only scheduled';
