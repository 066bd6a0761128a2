-- Personal fields in stored documents are encrypted with a key per subject (a person, a match: what a contract names by
-- x-subject). Erasing is destroying keys: whatever else has a copy of a document, a backup among them, cannot read it then.
create table subject_keys (
    subject      uuid        primary key,
    wrapped_key  bytea,
    wrapped_by   text,
    person       uuid,
    created_at   timestamptz not null default now(),
    destroyed_at timestamptz,
    check (num_nulls(wrapped_key, wrapped_by) = case when destroyed_at is null then 0 else 2 end)
);

comment on table subject_keys is 'One key per subject of personal data. A row is never deleted: one that is destroyed keeps late and repeated events from bringing back what was erased';
comment on column subject_keys.subject is 'derived_id(''milepost:subject:<kind>:<value>…'')';
comment on column subject_keys.wrapped_key is 'The key, encrypted with the key-encryption key; null once it is destroyed';
comment on column subject_keys.wrapped_by is 'The first digits of the SHA-256 of the key-encryption key';
comment on column subject_keys.person is 'Of a destroyed key: who was erased';

create index subject_keys_person_idx on subject_keys (person) where person is not null;

create table encryption_progress (
    only_row boolean primary key default true check (only_row),
    position bigint not null
);

comment on table encryption_progress is 'Up to which position of the event store documents from before there were keys have been encrypted';
