-- What the rules keep of each person and say of them. Everything here follows from the events (and, for flags, the
-- clock); the tables are written in the transaction of the batch that changed them.

create table journey_facts (
    user_id uuid primary key references users (id) on update cascade,
    epoch   bigint not null,
    facts   bytea not null,
    verdict bytea not null,
    changes bigint not null default 0,
    pending bytea
) with (fillfactor = 70);

create index journey_facts_epoch_user_id_idx on journey_facts (epoch, user_id);

comment on table journey_facts is 'Summaries of a person''s events, as the rules ask for them; read by `milepost rules explain`';
comment on column journey_facts.epoch is 'The rules under which the facts are kept and the verdict was made';
comment on column journey_facts.facts is 'What is kept of the events, in the engine''s own format';
comment on column journey_facts.verdict is 'What journey_flags, journey_milestones and the summary show of the person';
comment on column journey_facts.changes is 'How often the person''s flags have changed: part of the ids of the events that tell';
comment on column journey_facts.pending is 'While other rules are being applied: facts as those keep them, since they were begun';

create table journey_flags (
    id          uuid         primary key default gen_random_uuid(),
    user_id     uuid         not null references users (id) on update cascade,
    flag        varchar(100) not null,
    value       boolean      not null default true,
    set_by_rule varchar(100),
    set_at      timestamptz  not null,
    expires_at  timestamptz,
    constraint journey_flags_user_id_flag_key unique (user_id, flag)
);

create index journey_flags_flag_set_at_idx on journey_flags (flag, set_at);

comment on table journey_flags is 'Flags that hold: one that does not hold has no row';
comment on column journey_flags.value is 'Always true: the column stays for its readers';
comment on column journey_flags.set_by_rule is '<flag>@<version>';
comment on column journey_flags.set_at is 'The moment at which it began to hold, in event time';
comment on column journey_flags.expires_at is 'When it ends by itself, for flags that expire';

create table journey_timers (
    user_id uuid primary key references users (id) on update cascade,
    due_at  timestamptz not null
) with (fillfactor = 70);

create index journey_timers_due_at_idx on journey_timers (due_at);

comment on table journey_timers is 'When a person''s flags change next if nothing happens';

-- The rules in force, and their history. Batches hold a shared advisory lock; whoever changes the rules takes it alone
-- for a moment, so that a position of the event store separates what was folded under the old rules from what is folded
-- under the new ones.
create table journey_rules (
    epoch       bigint primary key,
    hash        text not null,
    source      text not null,
    state       text not null check (state in ('applying', 'applied', 'replaced')),
    separator   bigint not null,
    held_back   int8multirange not null default '{}',
    scanned_to  bigint not null default -1,
    begun_at    timestamptz not null default now(),
    applied_at  timestamptz
);

create unique index journey_rules_applied_key on journey_rules (state) where state = 'applied';
create unique index journey_rules_applying_key on journey_rules (state) where state = 'applying';

comment on table journey_rules is 'Rule sets: the one in force, the one that is being applied, and earlier ones';
comment on column journey_rules.hash is 'Equal for rule sets that mean the same';
comment on column journey_rules.source is 'journey.toml as it was applied: running services take it over from here';
comment on column journey_rules.separator is 'Events up to this position are folded by `milepost rules apply`, later ones by the service';
comment on column journey_rules.held_back is 'Positions up to the separator that waited when it was set: the service folds them when they are released';
comment on column journey_rules.scanned_to is 'How far the events up to the separator have been folded';

create table journey_facts_staged (
    user_id uuid primary key references users (id) on update cascade on delete cascade,
    facts   bytea not null
);

comment on table journey_facts_staged is 'While other rules are being applied: facts of events up to the separator, as those rules keep them';
