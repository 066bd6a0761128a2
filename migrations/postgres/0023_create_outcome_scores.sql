-- What the classifier of free texts (Q2Q) found in what people wrote, and the passages that it rests on.

create table outcome_scores (
    id            uuid          primary key default gen_random_uuid(),
    user_id       uuid          references users (id) on update cascade,
    text_id       uuid          not null,
    text_type     varchar(50)   check (text_type in ('buddy_feedback', 'kintell_feedback', 'checkin_note', 'skill_feedback')),
    dimension     varchar(50)   not null
                  check (dimension in ('confidence', 'belonging', 'lang_level_proxy', 'job_readiness', 'well_being')),
    score         decimal(4, 3) not null check (score between 0 and 1),
    confidence    decimal(4, 3) check (confidence between 0 and 1),
    model_version varchar(50),
    method        varchar(50)   not null default 'ai_classifier' check (method in ('ai_classifier', 'rule_based', 'manual')),
    provider_used varchar(50)   check (provider_used in ('claude', 'openai', 'gemini')),
    language      varchar(50)   not null default 'en' check (language in ('en', 'uk', 'no', 'unknown')),
    topics        jsonb,
    created_event uuid,
    created_at    timestamptz   not null default now()
);

create index outcome_scores_text_id_idx on outcome_scores (text_id);
create index outcome_scores_text_id_text_type_idx on outcome_scores (text_id, text_type);
create index outcome_scores_dimension_idx on outcome_scores (dimension);
create index outcome_scores_dimension_created_at_idx on outcome_scores (dimension, created_at);
create index outcome_scores_language_idx on outcome_scores (language);
create index outcome_scores_user_id_dimension_idx on outcome_scores (user_id, dimension);

comment on table outcome_scores is 'One dimension of one text, scored';
comment on column outcome_scores.id is 'scoreId';
comment on column outcome_scores.user_id is 'Whose outcome it is, where the event says so';
comment on column outcome_scores.text_id is 'The feedback, check-in or session whose text it was; no foreign key, the text may be elsewhere';
comment on column outcome_scores.confidence is 'How sure the model was';
comment on column outcome_scores.topics is 'Array of topics detected';
comment on column outcome_scores.created_event is 'The event that made the row';
comment on column outcome_scores.created_at is 'When it was scored, as the event says (scoredAt)';

create table evidence_snippets (
    id               uuid         primary key default gen_random_uuid(),
    outcome_score_id uuid         references outcome_scores (id),
    snippet_text     text,
    snippet_hash     varchar(64)  not null check (snippet_hash ~ '^[0-9a-f]{64}$'),
    embedding_ref    varchar(255),
    embedding        text,
    source_ref       varchar(255),
    scored_event     uuid,
    scored_event_at  timestamptz,
    created_at       timestamptz  not null default now(),
    constraint evidence_snippets_hash_idx unique (snippet_hash)
);

create index evidence_snippets_outcome_score_idx on evidence_snippets (outcome_score_id);

comment on table evidence_snippets is 'Passages that outcome scores rest on, each once';
comment on column evidence_snippets.outcome_score_id is 'The earliest score that rests on it, by its event''s (timestamp, event id)';
comment on column evidence_snippets.snippet_text is 'PII, though publishers remove names';
comment on column evidence_snippets.snippet_hash is 'SHA-256 of the passage, in lower-case hex';
comment on column evidence_snippets.embedding_ref is 'Its place in a vector database';
comment on column evidence_snippets.embedding is 'A vector as a JSON array; no event gives one';
comment on column evidence_snippets.source_ref is 'Where in the text it stands';
comment on column evidence_snippets.scored_event is 'The event that the row shows';
comment on column evidence_snippets.scored_event_at is 'Timestamp of scored_event';
comment on column evidence_snippets.created_at is 'When that score was given';
