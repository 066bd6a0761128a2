-- What operators ask of the past: which verdicts a dead letter had before, which messages were duplicates of an event,
-- and what an event had waited for.

-- Earlier verdicts. A trigger, because verdicts change in several ways: redriven in vain or with success, given up, met
-- again, delivered again after it was mended.
create table dead_letter_verdicts (
    id         bigint      generated always as identity primary key,
    letter_id  bigint      not null references dead_letters (id) on delete cascade,
    reason     text        not null,
    field      text,
    message    text        not null,
    resolution text,
    ended_at   timestamptz not null default now()
);
create index dead_letter_verdicts_letter_id_idx on dead_letter_verdicts (letter_id, id);

comment on table dead_letter_verdicts is 'What a dead letter''s reason and resolution were before; written by a trigger';
comment on column dead_letter_verdicts.ended_at is 'When the next verdict came: it was redriven in vain, resolved, or met again';

create function dead_letters_keep_verdict() returns trigger
language plpgsql
as $$
begin
    insert into dead_letter_verdicts (letter_id, reason, field, message, resolution)
    values (old.id, old.reason, old.field, old.message, old.resolution);
    return null;
end
$$;

comment on function dead_letters_keep_verdict is 'Keeps the verdict that an update replaces';

-- Counting one more of the same is no new verdict.
create trigger dead_letters_verdict after update on dead_letters for each row
when ((old.reason, old.field, old.message, old.attempts, old.resolution)
      is distinct from (new.reason, new.field, new.message, new.attempts, new.resolution))
execute function dead_letters_keep_verdict();

alter table dead_letters add column note text;
comment on column dead_letters.note is 'Why an operator gave it up, in their words';

-- Operators go through dead letters in the order of the stream: what others depend on comes first.
create index dead_letters_open_in_order_idx on dead_letters (coalesce(first_seq, 0), id) where resolution is null;

-- The event store knows the first message of an event; these are the others.
create table duplicate_messages (
    event_id     uuid        not null,
    incarnation  timestamptz not null,
    sequence     bigint      not null,
    published_at timestamptz not null,
    constraint duplicate_messages_pkey primary key (event_id, incarnation, sequence)
);

comment on table duplicate_messages is 'Messages whose event had been taken before';
comment on column duplicate_messages.incarnation is 'When JetStream created the stream that the sequence is of';

create table released_waits (
    event_id      uuid        not null,
    entity        text        not null,
    key           uuid        not null,
    waiting_since timestamptz not null,
    released_at   timestamptz not null default now(),
    constraint released_waits_pkey primary key (event_id, entity, key)
);

comment on table released_waits is 'What events had waited for that wait for it no more';
comment on column released_waits.released_at is 'When it was found to be there, or the event to be dead';

-- Which messages a transaction wrote is found by its moment. Rows come in that order: blocks with their bounds will do.
create index outbox_created_at_idx on outbox using brin (created_at);
