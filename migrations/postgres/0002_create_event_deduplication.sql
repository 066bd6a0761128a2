-- One row per event and consumer: the claim that makes an event's effect happen once. May be pruned: the event
-- store refuses the event all the same.
create table event_deduplication (
    id            uuid not null default gen_random_uuid(),
    event_id      varchar(255) not null,
    event_type    varchar(100) not null,
    consumer_id   varchar(100) not null,
    processed_at  timestamptz not null default now(),
    success       boolean not null default true,
    error_message text,
    metadata      text,
    content_hash  uuid,
    created_at    timestamptz not null default now(),
    constraint event_deduplication_pkey primary key (id),
    constraint event_deduplication_event_id_consumer_id_key unique (event_id, consumer_id)
);
create index event_deduplication_processed_at_idx on event_deduplication (processed_at);

comment on table event_deduplication is 'Claims: each event id once per consumer';
comment on column event_deduplication.consumer_id is 'The durable consumer';
comment on column event_deduplication.success is 'False: only a dead letter has this id so far; a healthy event with the id makes it true';
comment on column event_deduplication.metadata is 'JSON text; not written by Milepost';
comment on column event_deduplication.content_hash is 'Tells a repeated event from another one with the same id';
