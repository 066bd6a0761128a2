-- What people agreed to, and what they asked for by right: to see, take along or delete what is held about them.

create table consents (
    id               uuid         primary key default gen_random_uuid(),
    user_id          uuid         not null references users (id) on update cascade,
    consent_type     varchar(255) not null,
    status           varchar(50)  not null default 'pending' check (status in ('granted', 'revoked', 'pending')),
    granted_at       timestamptz,
    revoked_at       timestamptz,
    changed_at       timestamptz  not null,
    changed_event    uuid         not null,
    changed_event_at timestamptz  not null
);

create index consents_user_id_consent_type_idx on consents (user_id, consent_type);

comment on table consents is 'Consents, each in its latest state';
comment on column consents.id is 'consentId';
comment on column consents.consent_type is 'As the publisher names it; open';
comment on column consents.granted_at is 'When it was granted last, also if it was revoked since';
comment on column consents.revoked_at is 'When it was revoked last, also if it was granted anew since';
comment on column consents.changed_at is 'changedAt of the change that the row shows: the latest by (changed_at, timestamp, event id)';
comment on column consents.changed_event is 'Event id of that change';
comment on column consents.changed_event_at is 'Timestamp of that change';

create table dsar_requests (
    id                 uuid        primary key default gen_random_uuid(),
    user_id            uuid        not null references users (id) on update cascade,
    request_type       varchar(50) not null check (request_type in ('access', 'deletion', 'portability')),
    status             varchar(50) not null default 'pending' check (status in ('pending', 'processing', 'completed')),
    created_at         timestamptz,
    completed_at       timestamptz,
    opened_event       uuid,
    opened_event_at    timestamptz,
    completed_event    uuid,
    completed_event_at timestamptz
);

create index dsar_requests_user_id_idx on dsar_requests (user_id);
create index dsar_requests_status_created_at_idx on dsar_requests (status, created_at);

comment on table dsar_requests is 'Requests of data subjects (DSAR)';
comment on column dsar_requests.id is 'requestId';
comment on column dsar_requests.status is 'Pending when opened, completed when completed; processing is for those who work on it';
comment on column dsar_requests.created_at is 'openedAt; null while only the completion is known';
comment on column dsar_requests.opened_event is 'The privacy.request.opened that the row shows: the earliest by (timestamp, event id)';
comment on column dsar_requests.opened_event_at is 'Timestamp of opened_event';
comment on column dsar_requests.completed_event is 'The privacy.request.completed that the row shows: the earliest by (timestamp, event id)';
comment on column dsar_requests.completed_event_at is 'Timestamp of completed_event';
