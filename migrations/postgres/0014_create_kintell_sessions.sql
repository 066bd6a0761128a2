-- Language and mentorship sessions, and skill shares of the buddy system, which are the same thing to those who count
-- hours and ratings. One of the seeds knows a single session_date, the others when it was planned and when it took
-- place; the first is generated from the others, so that they cannot disagree.

create table kintell_sessions (
    id                  uuid          primary key default gen_random_uuid(),
    external_session_id varchar(255),
    session_type        varchar(50)   not null check (session_type in ('language', 'mentorship', 'skill_share')),
    participant_id      uuid          not null references users (id) on update cascade,
    volunteer_id        uuid          not null references users (id) on update cascade,
    scheduled_at        timestamptz,
    completed_at        timestamptz,
    session_date        timestamptz   generated always as (coalesce(completed_at, scheduled_at)) stored,
    duration_minutes    integer,
    rating              decimal(3, 2) check (rating between 0 and 1),
    feedback_text       text,
    language_level      varchar(10)   check (language_level in ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')),
    topics              jsonb,
    metadata            jsonb         default '{}',
    created_at          timestamptz   not null default now()
);

create index kintell_sessions_participant_id_completed_at_idx on kintell_sessions (participant_id, completed_at);
create index kintell_sessions_volunteer_id_completed_at_idx on kintell_sessions (volunteer_id, completed_at);
create index kintell_sessions_session_type_completed_at_idx on kintell_sessions (session_type, completed_at);

comment on table kintell_sessions is 'Sessions of two people: language, mentorship, skill share';
comment on column kintell_sessions.participant_id is 'The learner, in a skill share';
comment on column kintell_sessions.volunteer_id is 'The teacher, in a skill share';
comment on column kintell_sessions.completed_at is 'Null while the session is only scheduled';
comment on column kintell_sessions.session_date is 'When it took place, else when it is planned';
comment on column kintell_sessions.rating is 'Mean of the session''s ratings, 0.00 to 1.00, half up';
comment on column kintell_sessions.feedback_text is 'PII. Free text: the participant''s latest, else the volunteer''s';
comment on column kintell_sessions.language_level is 'CEFR';
comment on column kintell_sessions.topics is 'Array of topics discussed';
comment on column kintell_sessions.metadata is 'For a skill share: skill_id, skill_name, skill_category, proficiency_level, sdg_goals, valuation_points';
