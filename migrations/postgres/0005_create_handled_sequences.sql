-- The accounting: which messages of the stream were handled, and how they ended. One row per batch, merged later.
create table stream_incarnations (
    stream     text not null,
    created_at timestamptz not null,
    first_sequence bigint not null default 1,
    adopted_at timestamptz not null default clock_timestamp(),
    constraint stream_incarnations_pkey primary key (stream, created_at)
);
comment on table stream_incarnations is 'Incarnations of the stream that were read: a recreated stream starts its sequences anew';
comment on column stream_incarnations.first_sequence is 'First sequence that the stream held when it was adopted: what was gone before is not missed';
comment on column stream_incarnations.created_at is 'When JetStream created the stream';

create table handled_sequences (
    id           bigint generated always as identity primary key,
    stream       text not null,
    incarnation  timestamptz,
    sequences    int8multirange not null,
    applied      bigint not null,
    duplicates   bigint not null,
    waiting      bigint not null,
    unrouted     bigint not null,
    dead_letters bigint not null,
    own          bigint not null,
    committed_at timestamptz not null default now()
);
comment on table handled_sequences is 'Stream sequences that were handled; their outcomes add up to their number';
comment on column handled_sequences.incarnation is 'Null for a rebooking: what waited was applied, what was dead was redriven';
comment on column handled_sequences.sequences is 'A sequence counts once, however often it is delivered';
