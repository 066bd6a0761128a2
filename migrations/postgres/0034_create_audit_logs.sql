-- Every change that an operator makes, as a row, written in the transaction of the change where there is one. The
-- platform's own services write here too. Rows are added and never changed: the service's role may do nothing else.
create table audit_logs (
    id            uuid         not null default gen_random_uuid() constraint audit_logs_pkey primary key,
    user_id       uuid         references users (id) on update cascade,
    action        varchar(100) not null,
    resource_type varchar(100) not null,
    resource_id   uuid,
    metadata      jsonb        not null default '{}',
    created_at    timestamptz  not null default now()
);

create index audit_logs_created_at_idx on audit_logs (created_at);
create index audit_logs_user_id_idx on audit_logs (user_id) where user_id is not null;

comment on table audit_logs is 'Who changed what, when, and what came of it; no payloads';
comment on column audit_logs.user_id is 'A user of the platform; null for operators, whom metadata names';
comment on column audit_logs.action is 'For operators: the verb, such as dead_letters.redrive';
comment on column audit_logs.resource_type is 'What kind of thing was changed';
comment on column audit_logs.resource_id is 'Which one, if it is one and its id is a UUID';
comment on column audit_logs.metadata is 'For operators: actor, os_user, database_user, run (of the command), outcome (begun, done, failed), and the filter, numbers and counts';
