-- One of the seeds calls outcome_scores what is a roll-up per person and quarter; the others mean the single scores.
-- So the roll-up has a name of its own.

create table outcome_scores_quarterly (
    id                  uuid          primary key default gen_random_uuid(),
    user_id             uuid          not null references users (id) on update cascade,
    quarter             varchar(7)    not null check (quarter ~ '^[0-9]{4}-Q[1-4]$'),
    integration_score   decimal(4, 3) check (integration_score between 0 and 1),
    language_score      decimal(4, 3) check (language_score between 0 and 1),
    job_readiness_score decimal(4, 3) check (job_readiness_score between 0 and 1),
    confidence          decimal(4, 3) check (confidence between 0 and 1),
    evidence_lineage    jsonb         not null default '[]',
    created_at          timestamptz   not null default now(),
    constraint outcome_scores_quarterly_user_id_quarter_key unique (user_id, quarter)
);

create index outcome_scores_user_id_created_at_idx on outcome_scores (user_id, created_at);

comment on table outcome_scores_quarterly is 'Means of a person''s outcome scores in a quarter; what was not scored has none';
comment on column outcome_scores_quarterly.quarter is 'YYYY-QN, in UTC, of when the texts were scored';
comment on column outcome_scores_quarterly.integration_score is 'Over belonging, well_being and confidence, each score once';
comment on column outcome_scores_quarterly.language_score is 'Over lang_level_proxy';
comment on column outcome_scores_quarterly.job_readiness_score is 'Over job_readiness';
comment on column outcome_scores_quarterly.confidence is 'How sure the models were: the mean over the scores that say so';
comment on column outcome_scores_quarterly.evidence_lineage is 'The ids of these scores, sorted';
