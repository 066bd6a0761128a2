-- Deduplication at the platform's other doors: webhooks that are delivered again, requests that clients repeat. The
-- services behind those doors write here; no event does.

create table webhook_deduplication (
    id             uuid         primary key default gen_random_uuid(),
    delivery_id    varchar(255) not null,
    webhook_source varchar(50)  not null,
    webhook_type   varchar(100) not null,
    received_at    timestamptz  not null default now(),
    processed_at   timestamptz,
    success        boolean,
    status_code    varchar(10),
    error_message  text,
    retry_count    varchar(10)  not null default '0',
    payload        text,
    created_at     timestamptz  not null default now(),
    constraint webhook_deduplication_delivery_id_webhook_source_key unique (delivery_id, webhook_source)
);

create index webhook_deduplication_processed_at_idx on webhook_deduplication (processed_at);

comment on table webhook_deduplication is 'Deliveries of webhooks, each once per source; written by the services that receive them';
comment on column webhook_deduplication.webhook_source is 'kintell, upskilling, …';
comment on column webhook_deduplication.processed_at is 'Null while it is being processed';
comment on column webhook_deduplication.success is 'Null while it is being processed';
comment on column webhook_deduplication.status_code is 'HTTP status, as text';
comment on column webhook_deduplication.retry_count is 'A number, as text';
comment on column webhook_deduplication.payload is 'JSON text; may be personal';

create table api_request_deduplication (
    id              uuid         primary key default gen_random_uuid(),
    idempotency_key varchar(255) not null,
    user_id         uuid         references users (id) on update cascade on delete cascade,
    endpoint        varchar(255) not null,
    method          varchar(10)  not null check (method in ('GET', 'POST', 'PUT', 'DELETE')),
    requested_at    timestamptz  not null default now(),
    completed_at    timestamptz,
    status_code     varchar(10),
    response_body   text,
    error_message   text,
    expires_at      timestamptz  not null,
    created_at      timestamptz  not null default now(),
    constraint api_request_deduplication_idempotency_key_key unique (idempotency_key)
);

create index api_request_deduplication_expires_at_idx on api_request_deduplication (expires_at);
create index api_request_deduplication_user_id_idx on api_request_deduplication (user_id);

comment on table api_request_deduplication is 'Requests that clients may repeat with the same key, and what they were answered; written by the services that answer them';
comment on column api_request_deduplication.idempotency_key is 'Chosen by the client';
comment on column api_request_deduplication.status_code is 'HTTP status, as text';
comment on column api_request_deduplication.response_body is 'The answer, for a repeated request; may be personal';
comment on column api_request_deduplication.expires_at is 'From then on the row may be deleted';
