-- Replays of history: how far each is, so that one that was interrupted goes on there. What a replay does is committed
-- before its row; a batch that is repeated changes nothing.
create table replays (
    id             uuid primary key,
    source         text not null,
    selection      text not null,
    reached        bigint not null default 0,
    reached_bytes  bigint not null default 0,
    counts         jsonb not null default '{}',
    began_at       timestamptz not null default now(),
    went_on_at     timestamptz not null default now(),
    ended_at       timestamptz
);

comment on table replays is 'Replays of history, and how far they are';
comment on column replays.id is 'Made from source and selection; also the run of what waits of it';
comment on column replays.source is 'log, stream with its incarnation, or a file by path, size and first bytes';
comment on column replays.selection is 'Which events: the filters it was started with';
comment on column replays.reached is 'Last position, sequence or line that was committed';
comment on column replays.reached_bytes is 'Of a file, the bytes up to there, uncompressed';
comment on column replays.counts is 'What became of the messages so far';
comment on column replays.ended_at is 'Null while it is not at its end; started again, an ended one begins anew';
