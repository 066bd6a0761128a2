-- A session is told several times: scheduled, scheduled anew, completed, rated by both sides. The row of the session
-- shows them together; what it needs to do so in any order of arrival is kept beside it.

alter table kintell_sessions
    add column program_id                    uuid references programs (id),
    add column campaign_id                   uuid references program_campaigns (id),
    add column scheduled_event               uuid,
    add column scheduled_event_at            timestamptz,
    add column completed_external_session_id varchar(255);

create index kintell_sessions_program_id_idx on kintell_sessions (program_id);
create index kintell_sessions_campaign_id_idx on kintell_sessions (campaign_id);

comment on column kintell_sessions.program_id is 'As session.completed names it';
comment on column kintell_sessions.campaign_id is 'As session.completed names it';
comment on column kintell_sessions.scheduled_event is 'The latest session.scheduled by (timestamp, event id); null if there was none';
comment on column kintell_sessions.scheduled_event_at is 'Timestamp of scheduled_event';
comment on column kintell_sessions.completed_external_session_id is 'The external id that session.completed gave, if it gave one; otherwise external_session_id is scheduled_event''s';

create table kintell_ratings (
    id               uuid        primary key default gen_random_uuid(),
    session_id       uuid        not null references kintell_sessions (id),
    from_role        varchar(50) not null check (from_role in ('participant', 'volunteer')),
    rating           numeric     not null check (rating between 0 and 1),
    feedback_text    text,
    created_at       timestamptz not null,
    created_event    uuid        not null,
    created_event_at timestamptz not null
);

create index kintell_ratings_session_id_idx on kintell_ratings (session_id);
create index kintell_ratings_created_at_idx on kintell_ratings (created_at);

comment on table kintell_ratings is 'What one side of a session says of it; the session''s own rating and text follow from these';
comment on column kintell_ratings.id is 'ratingId';
comment on column kintell_ratings.from_role is 'Which side of the session gave it';
comment on column kintell_ratings.rating is '0 to 1, as received, not rounded';
comment on column kintell_ratings.feedback_text is 'PII. Free text';
comment on column kintell_ratings.created_at is 'When it was given, as the event says';
comment on column kintell_ratings.created_event is 'The event that made the row';
comment on column kintell_ratings.created_event_at is 'Timestamp of created_event';
