-- People, companies, and which name in which outside system means which person. Everything people did refers to users,
-- so this comes before the rest of the domain.
--
-- A person may change ids: one first known by e-mail has a derived id until an event names the CSR id, and two rows may
-- turn out to be one person. Hence `on update cascade` on every foreign key to users, here and in later files. The keys
-- of the identity tables are deferred as well: re-keying and merging may touch them before the person's row is there.

create table users (
    id            uuid         primary key default gen_random_uuid(),
    email         varchar(255) not null unique,
    role          varchar(50)  not null default 'company_user'
                  check (role in ('admin', 'company_user', 'participant', 'volunteer')),
    role_imported boolean      not null default false,
    first_name    varchar(100),
    last_name     varchar(100),
    journey_flags jsonb        not null default '{}',
    id_derived    boolean      not null default false,
    created_at    timestamptz  not null default now(),
    updated_at    timestamptz  not null default now()
);

create index users_role_created_at_idx on users (role, created_at);
create index idx_users_journey_flags on users using gin (journey_flags);

comment on table users is 'Every person: participants, volunteers, employees of companies, administrators';
comment on column users.email is 'PII. The latest e-mail, lower case; earlier ones stay look-up keys in user_emails';
comment on column users.role is 'What they appeared as: volunteer before participant before company_user, unless imported; beneficiary is normalised to participant';
comment on column users.role_imported is 'The role was imported and stands, whatever they appear as later';
comment on column users.first_name is 'PII';
comment on column users.last_name is 'PII';
comment on column users.journey_flags is 'Counters of the journey, such as buddy_match_count; a key is there when it is not zero';
comment on column users.id_derived is 'The id was derived from the first e-mail, because no event has named a CSR id yet';

create table companies (
    id             uuid         primary key default gen_random_uuid(),
    name           varchar(255) not null default '',
    industry       varchar(100),
    country        varchar(100),
    country_code   varchar(10),
    settings       jsonb        default '{}',
    is_active      boolean      not null default true,
    snapshot_at    timestamptz,
    snapshot_event uuid,
    created_at     timestamptz  not null default now()
);

comment on table companies is 'Corporate clients; a row is a stub until its company.synced comes';
comment on column companies.name is 'Empty in a stub';
comment on column companies.country is 'Name of the country, as distinct from country_code';
comment on column companies.settings is 'Feature flags and configuration';
comment on column companies.snapshot_at is 'Timestamp of the company.synced that the row shows; null in a stub';
comment on column companies.snapshot_event is 'Id of the company.synced that the row shows; null in a stub';

create table company_users (
    id         uuid        primary key default gen_random_uuid(),
    company_id uuid        not null references companies (id),
    user_id    uuid        not null references users (id) on update cascade deferrable initially deferred,
    joined_at  timestamptz not null,
    left_at    timestamptz,
    constraint company_users_company_id_user_id_key unique (company_id, user_id)
);

create index company_users_user_id_idx on company_users (user_id);

comment on table company_users is 'Which people belong to which company; company_memberships says since which snapshot';
comment on column company_users.joined_at is 'Earliest timestamp at which the person was seen in the company';
comment on column company_users.left_at is 'Set while the latest snapshot of the company has the person deactivated or terminated';

create table user_external_ids (
    id             uuid         primary key default gen_random_uuid(),
    profile_id     uuid         not null
                   references users (id) on update cascade on delete cascade deferrable initially deferred,
    provider       varchar(50)  not null,
    scope          uuid         not null default '00000000-0000-0000-0000-000000000000',
    external_id    varchar(255) not null,
    metadata       jsonb        default '{}',
    csr_id         uuid,
    email          varchar(255) not null,
    first_name     varchar(100),
    last_name      varchar(100),
    active         boolean      not null default true,
    snapshot_at    timestamptz  not null,
    snapshot_event uuid         not null,
    first_at       timestamptz  not null,
    first_event    uuid         not null,
    first_email    varchar(255) not null,
    created_at     timestamptz  not null default now(),
    updated_at     timestamptz  not null default now(),
    constraint user_external_ids_provider_scope_external_id_key unique (provider, scope, external_id)
);

create index idx_user_external_ids_profile on user_external_ids (profile_id);
create index idx_user_external_ids_provider_external on user_external_ids (provider, external_id);
create index idx_user_external_ids_provider on user_external_ids (provider);

comment on table user_external_ids is 'One row per identity in an outside system: whose it is, its first and its latest snapshot';
comment on column user_external_ids.provider is 'The source or sourceSystem of the events: workday, okta, buddy, …; open, so that a new one needs no migration';
comment on column user_external_ids.scope is 'Company whose directory gave the external id; the nil UUID where there is none';
comment on column user_external_ids.metadata is 'The rest of the latest snapshot, without names and e-mail';
comment on column user_external_ids.csr_id is 'The CSR id that an event of this identity named, if any did';
comment on column user_external_ids.email is 'PII. E-mail of the latest snapshot, lower case';
comment on column user_external_ids.first_name is 'PII';
comment on column user_external_ids.last_name is 'PII';
comment on column user_external_ids.active is 'Whether the latest snapshot has the person active, neither deactivated nor terminated';
comment on column user_external_ids.snapshot_at is 'Timestamp of the latest snapshot by (timestamp, event id)';
comment on column user_external_ids.snapshot_event is 'Event id of the latest snapshot by (timestamp, event id)';
comment on column user_external_ids.first_at is 'Timestamp of the earliest snapshot by (timestamp, event id)';
comment on column user_external_ids.first_event is 'Event id of the earliest snapshot by (timestamp, event id)';
comment on column user_external_ids.first_email is 'PII. E-mail of the earliest snapshot; a derived person id comes from the earliest of the person';

create table external_id_mappings (
    id              uuid         primary key default gen_random_uuid(),
    user_id         uuid         not null references users (id) on update cascade deferrable initially deferred,
    external_system varchar(50)  not null,
    external_id     varchar(300) not null,
    created_at      timestamptz  not null default now(),
    constraint external_id_mappings_external_system_external_id_key unique (external_system, external_id)
);

create index external_id_mappings_user_id_idx on external_id_mappings (user_id);

comment on table external_id_mappings is 'The older form of user_external_ids, kept in step with it for those who read it';
comment on column external_id_mappings.external_system is 'The provider of user_external_ids';
comment on column external_id_mappings.external_id is '<companyId>:<externalUserId> where the identity has a company, because this table has no scope';

create table user_emails (
    email   varchar(255) primary key,
    user_id uuid         not null
            references users (id) on update cascade on delete cascade deferrable initially deferred
);

create index user_emails_user_id_idx on user_emails (user_id);

comment on table user_emails is 'Every e-mail once seen for a person: each stays a look-up key';
comment on column user_emails.email is 'PII. Lower case';

create table company_memberships (
    event_id   uuid        primary key,
    user_id    uuid        not null
               references users (id) on update cascade on delete cascade deferrable initially deferred,
    company_id uuid        not null references companies (id),
    seen_at    timestamptz not null
);

create index company_memberships_user_id_seen_at_idx on company_memberships (user_id, seen_at);
create index company_memberships_company_id_idx on company_memberships (company_id);

comment on table company_memberships is 'One row per directory snapshot of a person: the company they belong to at a time is that of the latest at or before it, else of the first';
comment on column company_memberships.event_id is 'The snapshot''s event';
comment on column company_memberships.seen_at is 'Timestamp of the snapshot';

create table identity_conflicts (
    event_id   uuid        primary key,
    kind       text        not null,
    user_id    uuid,
    detail     jsonb       not null default '{}',
    created_at timestamptz not null default now()
);

comment on table identity_conflicts is 'Events whose identifiers contradict what is known; resolved first come and listed here for an operator';
comment on column identity_conflicts.kind is 'What contradicts: one e-mail under two CSR ids, an external id that moves between people, …';
comment on column identity_conflicts.user_id is 'The person the event applied to, if any; no foreign key, because the record outlives the person';
comment on column identity_conflicts.detail is 'The identifiers concerned';
