-- Undoes 0021, the last table first; indexes go with their tables and columns.

drop table kintell_ratings;

alter table kintell_sessions
    drop column completed_external_session_id,
    drop column scheduled_event_at,
    drop column scheduled_event,
    drop column campaign_id,
    drop column program_id;
