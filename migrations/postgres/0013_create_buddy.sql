-- What the buddy system reports: pairs, what they do together, how they are, what they say of each other. The ids are
-- the events' own (matchId, eventId, checkinId, feedbackId), so a second event about one entity finds the first.

create table buddy_matches (
    id                   uuid        primary key default gen_random_uuid(),
    participant_id       uuid        not null references users (id) on update cascade,
    buddy_id             uuid        not null references users (id) on update cascade,
    program_id           uuid        references programs (id),
    campaign_id          uuid        references program_campaigns (id),
    beneficiary_group_id uuid        references beneficiary_groups (id),
    matching_criteria    jsonb,
    matched_at           timestamptz not null,
    status               varchar(50) not null default 'active'
                         check (status in ('active', 'inactive', 'completed', 'ended')),
    ended_at             timestamptz,
    ended_reason         varchar(50),
    created_event        uuid,
    created_event_at     timestamptz,
    ended_event          uuid,
    ended_event_at       timestamptz
);

create index buddy_matches_participant_id_status_idx on buddy_matches (participant_id, status);
create index buddy_matches_buddy_id_status_idx on buddy_matches (buddy_id, status);
create index buddy_matches_program_id_idx on buddy_matches (program_id);
create index buddy_matches_campaign_id_idx on buddy_matches (campaign_id);
create index buddy_matches_beneficiary_group_id_idx on buddy_matches (beneficiary_group_id);

comment on table buddy_matches is 'A participant and a buddy, matched for a time';
comment on column buddy_matches.matching_criteria is 'Why these two: language, interests, location';
comment on column buddy_matches.status is 'match.ended gives ended; inactive and completed are for imported rows';
comment on column buddy_matches.ended_reason is 'As match.ended gives it; completed makes the enrolment completed';
comment on column buddy_matches.created_event is 'The match.created that the row shows: the earliest by (timestamp, event id)';
comment on column buddy_matches.created_event_at is 'Timestamp of created_event';
comment on column buddy_matches.ended_event is 'The match.ended that the row shows: the earliest by (timestamp, event id)';
comment on column buddy_matches.ended_event_at is 'Timestamp of ended_event';

create table buddy_events (
    id          uuid         primary key default gen_random_uuid(),
    match_id    uuid         references buddy_matches (id),
    user_id     uuid         references users (id) on update cascade,
    event_type  varchar(100),
    event_date  timestamptz,
    description text,
    location    varchar(255),
    metadata    jsonb        not null default '{}',
    created_at  timestamptz  not null default now()
);

create index buddy_events_match_id_event_date_idx on buddy_events (match_id, event_date);
create index buddy_events_event_type_event_date_idx on buddy_events (event_type, event_date);
create index buddy_events_user_id_idx on buddy_events (user_id);

comment on table buddy_events is 'What buddies did: events they logged, events a person attended, online skill shares';
comment on column buddy_events.id is 'eventId when logged; derived from the event and person when attended, from the session for a video_call';
comment on column buddy_events.match_id is 'Null for a person who attended without a match';
comment on column buddy_events.user_id is 'The person, for events attended';
comment on column buddy_events.event_type is 'hangout, activity, workshop, cultural, video_call, …; open';
comment on column buddy_events.description is 'The title, for events attended';
comment on column buddy_events.metadata is 'sdg_goals, duration_minutes, attendee_count, event_format, organizer, categories';

create table buddy_checkins (
    id                 uuid        primary key default gen_random_uuid(),
    match_id           uuid        not null references buddy_matches (id),
    checkin_date       timestamptz not null,
    mood               varchar(50) check (mood in ('great', 'good', 'okay', 'struggling', 'difficult')),
    notes              text,
    question_responses jsonb
);

create index buddy_checkins_match_id_checkin_date_idx on buddy_checkins (match_id, checkin_date);

comment on table buddy_checkins is 'How a pair is doing, asked regularly';
comment on column buddy_checkins.notes is 'PII. Free text';

create table buddy_feedback (
    id            uuid          primary key default gen_random_uuid(),
    match_id      uuid          not null references buddy_matches (id),
    from_role     varchar(50)   not null check (from_role in ('participant', 'buddy')),
    rating        decimal(3, 2) not null check (rating between 0 and 1),
    feedback_text text,
    categories    jsonb,
    submitted_at  timestamptz   not null
);

create index buddy_feedback_match_id_submitted_at_idx on buddy_feedback (match_id, submitted_at);
create index buddy_feedback_submitted_at_idx on buddy_feedback (submitted_at);

comment on table buddy_feedback is 'What one side of a match says of it';
comment on column buddy_feedback.from_role is 'Which side of the match gave it';
comment on column buddy_feedback.rating is '0.00 to 1.00';
comment on column buddy_feedback.feedback_text is 'PII. Free text';
comment on column buddy_feedback.categories is 'communication, helpfulness, engagement, each 0 to 1';
