-- Courses of the upskilling providers. Progress, completion and credential of one course come as events of their own, in
-- any order and with gaps, so each is kept as it was told and the row of the course follows from all of them.

create table learning_reports (
    event_id         uuid         primary key,
    event_at         timestamptz  not null,
    kind             varchar(50)  not null check (kind in ('progress', 'completion', 'credential')),
    user_id          uuid         not null references users (id) on update cascade,
    provider         varchar(255) not null,
    course_id        varchar(255) not null,
    course_name      text         not null,
    told_at          timestamptz  not null,
    progress_id      uuid,
    status           varchar(50)  check (status in ('enrolled', 'in_progress', 'completed', 'dropped')),
    progress_percent integer      check (progress_percent between 0 and 100),
    credential_ref   text,
    program_id       uuid         references programs (id),
    campaign_id      uuid         references program_campaigns (id),
    metadata         jsonb        not null default '{}',
    constraint learning_reports_kind_status_check check ((kind = 'progress') = (status is not null))
);

create index learning_reports_user_id_provider_course_id_idx on learning_reports (user_id, provider, course_id);
create index learning_reports_program_id_idx on learning_reports (program_id) where program_id is not null;
create index learning_reports_campaign_id_idx on learning_reports (campaign_id) where campaign_id is not null;

comment on table learning_reports is 'What was told of a person''s course, one row per event; learning_progress follows from it';
comment on column learning_reports.event_at is 'Timestamp of the event';
comment on column learning_reports.told_at is 'The time that the event dates it to: updatedAt, completedAt, issuedAt';
comment on column learning_reports.progress_id is 'progressId of a progress or a completion';
comment on column learning_reports.status is 'Of a progress';
comment on column learning_reports.progress_percent is 'Of a progress';
comment on column learning_reports.credential_ref is 'credentialRef of a completion, credentialId of a credential';
comment on column learning_reports.program_id is 'As a completion names it';
comment on column learning_reports.campaign_id is 'As a completion names it';
comment on column learning_reports.metadata is 'final_score of a completion; credential_type, credential_url, expires_at, verification_code of a credential';

create table learning_progress (
    id               uuid         primary key default gen_random_uuid(),
    user_id          uuid         not null references users (id) on update cascade,
    provider         varchar(255) not null,
    course_id        varchar(255) not null,
    course_name      text         not null,
    status           varchar(50)  not null check (status in ('enrolled', 'in_progress', 'completed', 'dropped')),
    progress_percent integer      not null check (progress_percent between 0 and 100),
    started_at       timestamptz,
    completed_at     timestamptz,
    credential_ref   text,
    metadata         jsonb        default '{}',
    created_at       timestamptz  not null default now(),
    updated_at       timestamptz  not null default now(),
    constraint learning_progress_user_id_provider_course_id_key unique (user_id, provider, course_id)
);

create index learning_progress_user_id_status_idx on learning_progress (user_id, status);
create index learning_progress_provider_status_idx on learning_progress (provider, status);

comment on table learning_progress is 'Where a person is in a course, as it follows from learning_reports';
comment on column learning_progress.provider is 'ecornell, itslearning, …; open';
comment on column learning_progress.course_name is 'As it was told last';
comment on column learning_progress.started_at is 'Earliest progress; null where only a completion or a credential was told';
comment on column learning_progress.completed_at is 'Earliest completion, else the first progress with status completed; of a credential alone, its issue';
comment on column learning_progress.credential_ref is 'The latest told: a completion''s credentialRef or a credentialId';
comment on column learning_progress.metadata is 'Of the latest completion and the latest credential, as in learning_reports';
comment on column learning_progress.updated_at is 'The latest time that an event of the course dates itself to';
