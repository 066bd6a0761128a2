-- Events that Milepost itself publishes: written in the transaction that changed something, published afterwards by
-- the relay, marked after the stream's acknowledgement. The id is made from what the event tells, so that one change
-- has one row and one message, however often the relay is interrupted.

create table outbox (
    position     bigint generated always as identity primary key,
    event_id     uuid not null unique,
    user_id      uuid not null references users (id) on update cascade,
    subject      varchar(100) not null,
    payload      text not null,
    created_at   timestamptz not null default now(),
    attempted_at timestamptz,
    published_at timestamptz
);

create index outbox_unpublished_idx on outbox (position) where published_at is null;
create index outbox_unpublished_user_id_idx on outbox (user_id, position) where published_at is null;

comment on table outbox is 'Events of our own, to be published and published';
comment on column outbox.position is 'The order of publishing';
comment on column outbox.event_id is 'Also the Nats-Msg-Id';
comment on column outbox.user_id is 'Whom it is about: the events of one person are published one after the other';
comment on column outbox.payload is 'The document, as it is published';
comment on column outbox.attempted_at is 'When the relay first set out to publish it; it may have arrived since';
comment on column outbox.published_at is 'When the stream had acknowledged it';
