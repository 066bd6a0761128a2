-- The event store: every event that has an id, once, with one total order (position).
-- Range-partitioned by event time, so that live traffic touches small, hot indexes. A repeated event carries the
-- same timestamp, so uniqueness of (event_id, timestamp) within a partition is uniqueness of the event.
create sequence event_log_position_seq as bigint;

create table event_log (
    position        bigint not null default nextval('event_log_position_seq'),
    event_id        uuid not null,
    event_type      varchar(100) not null,
    version         varchar(50) not null default 'v1',
    user_id         varchar(100),
    "timestamp"     timestamptz not null,
    payload         jsonb not null,
    content_hash    uuid not null,
    correlation_id  uuid,
    causation_id    uuid,
    processed_at    timestamptz,
    derived_metrics jsonb not null default '[]',
    stream_sequence bigint,
    received_at     timestamptz not null default now(),
    transaction_id  xid8 not null default pg_current_xact_id(),
    created_at      timestamptz not null default now(),
    constraint event_log_pkey primary key (position, "timestamp"),
    constraint event_log_event_id_timestamp_key unique (event_id, "timestamp")
) partition by range ("timestamp");

alter sequence event_log_position_seq owned by event_log.position;

-- An odd timestamp never stops a batch: what belongs to no month that was made goes here.
create table event_log_default partition of event_log default;

comment on table event_log is 'The event store: every event once, in one total order';
comment on column event_log.position is 'Total order of storing; gaps are normal, commits may become visible out of order';
comment on column event_log.user_id is 'The person whom the event itself names';
comment on column event_log.payload is 'The document as it was received';
comment on column event_log.content_hash is 'UUIDv8 over type, instant and normalised data: equal for the same event in any envelope or spelling';
comment on column event_log.processed_at is 'When it was projected; null while it waits, and for events without a projection';
comment on column event_log.stream_sequence is 'Sequence in the JetStream stream of the first message that carried it';
comment on column event_log.received_at is 'When the stream took the message';
comment on column event_log.transaction_id is 'The transaction that stored it: a reader by position stays below the oldest one still running';

-- Takes out events that waited and turned out to be dead letters. The service has no right to delete from the store
-- and calls this instead; only what waits can be taken out, whatever it is called with.
create function event_log_withdraw(positions bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    delete from event_log
    where position = any(positions) and processed_at is null
      and exists (select from waiting_events where waiting_events.position = event_log.position);
end
$$;

comment on function event_log_withdraw is 'Takes out unprojected events, for a role without the right to delete';

-- Makes the partitions of these months, moving strays over; true when all are there. The service has no right to
-- create tables and calls this instead; months far from now are refused, so that hostile timestamps cannot make
-- thousands of tables. It needs the default partition for itself for a moment: where somebody reads it for long
-- (a dump, an analyst), it gives up soon instead of queueing everybody behind it, and strays wait in the default.
create function event_log_ensure_months(months date[]) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '300ms'
as $$
declare
    month date;
    name text;
begin
    for month in
        select distinct date_trunc('month', wanted)::date from unnest(months) as wanted
        where wanted between '2000-01-01' and now() + interval '2 years'
        order by 1
    loop
        name := 'event_log_' || to_char(month, 'YYYY_MM');
        continue when to_regclass('public.' || name) is not null;
        -- One at a time. A lock on a table, unlike an advisory one, also shows what others have made meanwhile.
        lock table public.event_log in share update exclusive mode;
        continue when to_regclass('public.' || name) is not null;
        -- No row of this month may enter the default partition between the move and the attachment.
        lock table public.event_log_default in access exclusive mode;
        execute format('create table public.%I (like public.event_log including defaults including constraints)', name);
        execute format(
            'with strays as (delete from public.event_log_default where "timestamp" >= %L and "timestamp" < %L returning *)
             insert into public.%I select * from strays',
            month::timestamp at time zone 'UTC', (month + interval '1 month')::timestamp at time zone 'UTC', name);
        execute format(
            'alter table public.event_log attach partition public.%I for values from (%L) to (%L)',
            name, month::timestamp at time zone 'UTC', (month + interval '1 month')::timestamp at time zone 'UTC');
    end loop;
    return true;
exception when lock_not_available then
    return false;
end
$$;

comment on function event_log_ensure_months is 'Makes monthly partitions of event_log, for a role without the right to create tables';
