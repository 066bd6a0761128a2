-- Messages that could not become an effect, with their raw bytes. Equal content on the same subject is one row.
create table dead_letters (
    id          bigint generated always as identity primary key,
    fingerprint uuid not null constraint dead_letters_fingerprint_key unique,
    stream      text not null,
    subject     text not null,
    payload     bytea not null,
    headers     json,
    reason      text not null constraint dead_letters_reason_check check (reason in (
                    'not_utf8', 'not_json', 'too_large', 'too_deep', 'duplicate_key', 'bad_character', 'bad_number',
                    'envelope', 'subject_mismatch', 'contract', 'id_conflict', 'database')),
    field       text,
    message     text not null,
    event_id    uuid,
    event_type  text,
    count       bigint not null default 0,
    first_seq   bigint,
    last_seq    bigint,
    first_seen  timestamptz not null default now(),
    last_seen   timestamptz not null default now(),
    attempts    integer not null default 0,
    resolution  text constraint dead_letters_resolution_check check (resolution in ('redriven', 'discarded')),
    resolved_at timestamptz
);
create index dead_letters_open_idx on dead_letters (id) where resolution is null;
create index dead_letters_event_id_idx on dead_letters (event_id);

comment on table dead_letters is 'Messages that could not be applied, with their raw bytes';
comment on column dead_letters.fingerprint is 'UUIDv8 over subject and bytes';
comment on column dead_letters.field is 'JSON pointer to the field at fault';
comment on column dead_letters.count is 'Messages with this content';
comment on column dead_letters.first_seq is 'Sequence in the stream of the first of them';
comment on column dead_letters.attempts is 'How often an operator redrove it in vain';
comment on column dead_letters.resolution is 'Null while it is open';
