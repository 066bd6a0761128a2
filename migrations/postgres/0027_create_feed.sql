-- The feed into ClickHouse: which ranges of positions were sealed, which of them are there, and who may write.
-- A range is sealed before it is inserted: what is inserted, and inserted again after a fault, are these very bytes.
create table feed_generations (
    generation integer     primary key check (generation > 0),
    state      text        not null check (state in ('building', 'swapping', 'current', 'previous', 'dropped')),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);

create unique index feed_generations_current_idx on feed_generations ((true)) where state in ('current', 'swapping');

insert into feed_generations (generation, state) values (1, 'current');

comment on table feed_generations is 'Generations of the tables in ClickHouse: one is current, another may be building beside it';
comment on column feed_generations.state is 'swapping: built and verified, being exchanged with the current one; previous: kept until it is dropped';

create table feed_ranges (
    generation     integer     not null references feed_generations (generation),
    first_position bigint      not null,
    last_position  bigint      not null,
    events         bigint      not null check (events >= 0),
    content_hash   bigint      not null,
    body           bytea,
    sealed_at      timestamptz not null default now(),
    fed_at         timestamptz,
    primary key (generation, first_position),
    check (last_position >= first_position),
    check ((body is null) = (fed_at is not null))
);

-- The bytes are compressed already; kept out of line they cost nothing when the row is marked.
alter table feed_ranges alter column body set storage external;

create index feed_ranges_generation_last_position_idx on feed_ranges (generation, last_position);
create index feed_ranges_sealed_idx on feed_ranges (generation, first_position) where fed_at is null;

comment on table feed_ranges is 'Sealed ranges of positions of the event store, without gaps between them; old ones are merged';
comment on column feed_ranges.first_position is 'The position after the last one of the range before';
comment on column feed_ranges.events is 'Events in the range; fewer than positions, because positions have gaps';
comment on column feed_ranges.content_hash is 'Sum, modulo 2^64, of the XXH3 of each row; ClickHouse computes the same from what it holds';
comment on column feed_ranges.body is 'The rows until they are fed, as they are sent: a block in ClickHouse''s Native format, in its LZ4 frame with checksum';
comment on column feed_ranges.fed_at is 'When count and hash were found equal in ClickHouse';

create table feed_leases (
    name       text        primary key,
    holder     uuid,
    epoch      bigint      not null default 0,
    expires_at timestamptz not null default '-infinity',
    wanted_by  uuid,
    wanted_at  timestamptz
);

insert into feed_leases (name) values ('feed'), ('rebuild');

comment on table feed_leases is 'Who may write to ClickHouse: feed to the current tables, rebuild to those of a generation that is being built';
comment on column feed_leases.epoch is 'One more with each new holder';
comment on column feed_leases.wanted_by is 'Somebody else who needs it for a moment: the holder lets go';

create table feed_outdated (
    position bigint      primary key,
    noted_at timestamptz not null default now()
);

comment on table feed_outdated is 'Positions that changed after their range was sealed: the range is replaced';

create table feed_mirrors (
    name       text        primary key,
    version    bigint      not null,
    changed_at timestamptz not null default now()
);

comment on table feed_mirrors is 'Tables whose rows are carried to ClickHouse whenever they change';
comment on column feed_mirrors.version is 'Up to this version all rows are there';

-- What is withdrawn after it was sealed has to leave ClickHouse too. (Everything else as in 0001.)
create or replace function event_log_withdraw(positions bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    with withdrawn as (
        delete from event_log
        where position = any(positions) and processed_at is null
          and exists (select from waiting_events where waiting_events.position = event_log.position)
        returning position)
    insert into feed_outdated (position) select position from withdrawn on conflict do nothing;
end
$$;
