-- Messages that were gone from the stream before anybody handled them, and that an operator has given up: they are
-- missed no more. Everything else that was never handled is looked for by the audit.
create table written_off_sequences (
    id             bigint generated always as identity primary key,
    stream         text not null,
    incarnation    timestamptz not null,
    sequences      int8multirange not null,
    written_off_at timestamptz not null default now()
);
create index written_off_sequences_stream_incarnation_idx on written_off_sequences (stream, incarnation);
comment on table written_off_sequences is 'Stream sequences that were lost before they were handled, and given up by an operator';
comment on column written_off_sequences.incarnation is 'When the stream was created';
