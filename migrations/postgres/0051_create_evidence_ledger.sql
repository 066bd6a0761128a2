-- What speaks for a person's outcomes, in one list: sessions, feedback, milestones, from whichever system.

create table evidence_ledger (
    id            uuid         primary key default gen_random_uuid(),
    evidence_type varchar(50)  not null check (evidence_type in ('session', 'feedback', 'milestone')),
    source_system varchar(50)  not null check (source_system in ('kintell', 'buddy', 'upskilling')),
    source_id     varchar(255) not null,
    user_id       uuid         not null references users (id) on update cascade,
    company_id    uuid         references companies (id),
    campaign_id   uuid         references program_campaigns (id),
    evidence_data jsonb        not null default '{}',
    evidence_at   timestamptz  not null,
    created_at    timestamptz  not null default now(),
    constraint evidence_ledger_type_system_source_user_key
        unique (evidence_type, source_system, source_id, user_id)
);

create index evidence_ledger_user_id_evidence_at_idx on evidence_ledger (user_id, evidence_at);
create index evidence_ledger_company_id_evidence_at_idx on evidence_ledger (company_id, evidence_at);
create index evidence_ledger_campaign_id_idx on evidence_ledger (campaign_id);
create index evidence_ledger_evidence_data_idx on evidence_ledger using gin (evidence_data);

comment on table evidence_ledger is 'Sessions that a person took part in, feedback that they gave, milestones that they reached';
comment on column evidence_ledger.source_id is 'The id there: of a session, a feedback, a rating, a milestone; of a course that was completed its progressId';
comment on column evidence_ledger.user_id is 'Participant or learner of a session; who gave the feedback; who reached the milestone';
comment on column evidence_ledger.company_id is 'The company that the person belonged to at evidence_at';
comment on column evidence_ledger.campaign_id is 'Of the session, match or course where it names one';
comment on column evidence_ledger.evidence_data is 'The measures, such as duration_minutes or rating; no free text';
comment on column evidence_ledger.evidence_at is 'The data''s own time';
comment on column evidence_ledger.created_at is 'When the row was stored';

-- Several completions may name one progress.
create index learning_reports_progress_id_idx on learning_reports (progress_id) where kind = 'completion';
