-- What people can take part in, and that they do. Programs, campaigns, templates and beneficiary groups are reference
-- data: whatever names one first makes a stub row, so nothing here waits, and what a stub cannot know is nullable.

create table program_templates (
    id             uuid         primary key default gen_random_uuid(),
    template_key   varchar(100) unique,
    name           text         not null default '',
    description    text,
    default_config jsonb,
    created_at     timestamptz  not null default now(),
    updated_at     timestamptz  not null default now()
);

comment on table program_templates is 'What programs are made from; only ever stubs so far, as no event describes one';
comment on column program_templates.name is 'Empty in a stub';
comment on column program_templates.default_config is 'What a program''s config_overrides change';

create table beneficiary_groups (
    id          uuid         primary key default gen_random_uuid(),
    group_key   varchar(100) unique,
    name        text         not null default '',
    description text,
    created_at  timestamptz  not null default now(),
    updated_at  timestamptz  not null default now()
);

comment on table beneficiary_groups is 'Whom a program is for; only ever stubs so far, as no event describes one';
comment on column beneficiary_groups.name is 'Empty in a stub';

create table programs (
    id                   uuid         primary key default gen_random_uuid(),
    program_key          varchar(100) not null unique,
    template_id          uuid         references program_templates (id),
    name                 text         not null default '',
    description          text,
    program_type         varchar(50)  check (program_type in ('buddy', 'language', 'mentorship', 'upskilling')),
    beneficiary_group_id uuid         references beneficiary_groups (id),
    status               varchar(50)  not null default 'draft'
                         check (status in ('draft', 'active', 'paused', 'completed', 'archived')),
    config               jsonb,
    config_overrides     jsonb,
    start_date           date,
    end_date             date,
    snapshot_at          timestamptz,
    snapshot_event       uuid,
    created_at           timestamptz  not null default now(),
    updated_at           timestamptz  not null default now()
);

create index programs_template_id_idx on programs (template_id);
create index programs_beneficiary_group_id_idx on programs (beneficiary_group_id);
create index programs_config_idx on programs using gin (config);
create index programs_name_description_idx on programs
    using gin (to_tsvector('simple', name || ' ' || coalesce(description, '')));

comment on table programs is 'Programs; a row is a stub until its program.synced comes';
comment on column programs.program_key is 'The id as text in a stub';
comment on column programs.name is 'Empty in a stub';
comment on column programs.program_type is 'Null in a stub';
comment on column programs.config is 'Effective configuration';
comment on column programs.config_overrides is 'What the configuration changes of its template''s';
comment on column programs.snapshot_at is 'Timestamp of the program.synced that the row shows; null in a stub';
comment on column programs.snapshot_event is 'Id of the program.synced that the row shows; null in a stub';
comment on index programs_name_description_idx is 'Search by words: query the very expression to_tsvector(''simple'', name || '' '' || coalesce(description, ''''))';

create table program_campaigns (
    id                 uuid         primary key default gen_random_uuid(),
    campaign_key       varchar(100) not null unique,
    program_id         uuid         references programs (id),
    company_id         uuid         references companies (id),
    name               text         not null default '',
    description        text,
    status             varchar(50)  not null default 'draft'
                       check (status in ('draft', 'active', 'paused', 'completed', 'archived')),
    start_date         date,
    end_date           date,
    target_enrollment  integer      check (target_enrollment >= 0),
    max_enrollment     integer      check (max_enrollment >= 0),
    current_enrollment integer      check (current_enrollment >= 0),
    budget_allocated   bigint       check (budget_allocated >= 0),
    budget_spent       bigint       check (budget_spent >= 0),
    config_overrides   jsonb,
    snapshot_at        timestamptz,
    snapshot_event     uuid,
    created_at         timestamptz  not null default now(),
    updated_at         timestamptz  not null default now()
);

create index program_campaigns_program_id_idx on program_campaigns (program_id);
create index program_campaigns_company_id_idx on program_campaigns (company_id);
create index program_campaigns_name_description_idx on program_campaigns
    using gin (to_tsvector('simple', name || ' ' || coalesce(description, '')));

comment on table program_campaigns is 'A program run for a company; a row is a stub until its program.campaign.synced comes';
comment on column program_campaigns.campaign_key is 'The id as text in a stub';
comment on column program_campaigns.program_id is 'Null in a stub';
comment on column program_campaigns.company_id is 'Null in a stub';
comment on column program_campaigns.name is 'Empty in a stub';
comment on column program_campaigns.current_enrollment is 'As the campaign''s own system reports it; not counted from program_enrollments';
comment on column program_campaigns.budget_allocated is 'Cents';
comment on column program_campaigns.budget_spent is 'Cents; pro rata by days the investment of a company''s SROI';
comment on column program_campaigns.config_overrides is 'What the configuration changes of its program''s';
comment on column program_campaigns.snapshot_at is 'Timestamp of the program.campaign.synced that the row shows; null in a stub';
comment on column program_campaigns.snapshot_event is 'Id of the program.campaign.synced that the row shows; null in a stub';
comment on index program_campaigns_name_description_idx is 'Search by words: query the very expression to_tsvector(''simple'', name || '' '' || coalesce(description, ''''))';

create table program_enrollments (
    id            uuid        primary key default gen_random_uuid(),
    user_id       uuid        not null references users (id) on update cascade,
    program_id    uuid        references programs (id),
    campaign_id   uuid        references program_campaigns (id),
    program_type  varchar(50) not null check (program_type in ('buddy', 'language', 'mentorship', 'upskilling')),
    status        varchar(50) not null default 'active' check (status in ('active', 'completed', 'dropped')),
    enrolled_at   timestamptz not null,
    completed_at  timestamptz,
    source_system varchar(50),
    source_id     varchar(255),
    constraint program_enrollments_source_system_source_id_check
        check ((source_system is null) = (source_id is null))
);

create unique index program_enrollments_user_id_program_type_key on program_enrollments (user_id, program_type)
    where source_id is null;
create unique index program_enrollments_source_system_source_id_key on program_enrollments (source_system, source_id)
    where source_id is not null;
create index program_enrollments_user_id_idx on program_enrollments (user_id);
create index program_enrollments_program_id_idx on program_enrollments (program_id);
create index program_enrollments_campaign_id_idx on program_enrollments (campaign_id);

comment on table program_enrollments is 'Who takes part in what: rows derived from what people did, one per person and program type, and rows that an outside system reported';
comment on column program_enrollments.completed_at is 'Null unless completed; someone who dropped out has none';
comment on column program_enrollments.source_system is 'Who reported the row; null when it is derived';
comment on column program_enrollments.source_id is 'The row''s id in the reporting system; null when it is derived';
