-- Months of the event store that were archived and dropped: what is known of them without the files. Their ids are in
-- event_ids, so that no event of theirs is taken again; their rows in ClickHouse stay.
create table event_archives (
    id             bigint generated always as identity primary key,
    partition_name text not null,
    file           text not null,
    sha256         text not null,
    events         bigint not null,
    stream_events  bigint not null,
    positions      int8multirange not null,
    first_time     timestamptz not null,
    last_time      timestamptz not null,
    dropped_at     timestamptz not null default now()
);
comment on table event_archives is 'Months of the event store that were archived to a file and dropped';
comment on column event_archives.file is 'Name of the file, without its folder';
comment on column event_archives.sha256 is 'Of its lines, uncompressed';
comment on column event_archives.stream_events is 'Of the events, those that came from the stream: the accounting counts them still';
comment on column event_archives.positions is 'The positions of its events';
