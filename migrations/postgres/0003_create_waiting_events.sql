-- Stored events that are held back until what they refer to exists: one row per missing reference.
create table waiting_events (
    position      bigint not null,
    entity        text not null,
    key           uuid not null,
    event_id      uuid not null,
    "timestamp"   timestamptz not null,
    event_type    varchar(100) not null,
    run_id        uuid not null,
    waiting_since timestamptz not null default now(),
    constraint waiting_events_pkey primary key (position, entity, key)
);
create index waiting_events_event_id_idx on waiting_events (event_id);
create index waiting_events_run_id_idx on waiting_events (run_id);

comment on table waiting_events is 'Events held back, one row per reference that is missing';
comment on column waiting_events.entity is 'Name of an entity in stream.toml';
comment on column waiting_events.run_id is 'The run of the service that received the event';
