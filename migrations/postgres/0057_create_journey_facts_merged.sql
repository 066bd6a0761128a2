-- Two people may turn out to be one. Their rows become one by SQL; their facts are in the engine's own format, so they
-- are laid down here and folded into those of the one who stays, before the transaction ends.

create table journey_facts_merged (
    user_id uuid not null references users (id) on update cascade on delete cascade,
    epoch   bigint,
    facts   bytea,
    pending bytea,
    staged  bytea
);

create index journey_facts_merged_user_id_idx on journey_facts_merged (user_id);

comment on table journey_facts_merged is 'Facts of people who turned out to be somebody else, on their way to these; empty outside of a transaction';
comment on column journey_facts_merged.user_id is 'Who stays';
comment on column journey_facts_merged.epoch is 'As in journey_facts, of the one who went; null where there were only staged facts';
comment on column journey_facts_merged.staged is 'What journey_facts_staged had of the one who went';

-- A person's rows are looked for when the person gets another id, and published ones are kept.
create index outbox_user_id_idx on outbox (user_id);
