-- A company's quarter: sums of its days, whom it counts, and what its campaigns spent. The days are company_days; people
-- and campaigns are remembered here as they counted when they were looked at last, so that the quarters that something
-- spoke for are known when it moves.

create table company_people (
    user_id    uuid         not null references users (id) on update cascade,
    company_id uuid         not null references companies (id),
    measure    varchar(50)  not null check (measure in ('enrolled', 'placed', 'participant', 'volunteer')),
    match_id   uuid         references buddy_matches (id),
    since      date         not null,
    until      date,
    constraint company_people_match_id_check check ((match_id is not null) = (measure = 'volunteer')),
    constraint company_people_user_id_measure_match_id_key unique nulls not distinct (user_id, measure, match_id)
);

create index company_people_company_id_since_idx on company_people (company_id, since);
create index company_people_match_id_idx on company_people (match_id) where match_id is not null;

comment on table company_people is 'Whom a company counts, as what, and since when; each counts for the company that they belonged to when it began';
comment on column company_people.measure is 'enrolled in anything; placed in a job, internship or apprenticeship (and enrolled); participant of the buddy programme; volunteer, once for each match';
comment on column company_people.match_id is 'In which a volunteer is the buddy';
comment on column company_people.until is 'When that match ended; null for the others, which count from then on';

create table company_campaigns (
    campaign_id  uuid   primary key references program_campaigns (id),
    company_id   uuid   not null references companies (id),
    start_date   date   not null,
    end_date     date   not null,
    budget_spent bigint not null check (budget_spent > 0),
    constraint company_campaigns_end_date_check check (end_date >= start_date)
);

create index company_campaigns_company_id_idx on company_campaigns (company_id);

comment on table company_campaigns is 'Campaigns that a company has spent something on, between two dates';
comment on column company_campaigns.end_date is 'The last day';
comment on column company_campaigns.budget_spent is 'Cents';

create table metrics_company_period (
    id                     uuid          primary key default gen_random_uuid(),
    company_id             uuid          not null references companies (id),
    period                 varchar(7)    not null check (period ~ '^[0-9]{4}-Q[1-4]$'),
    period_start           date          not null,
    period_end             date          not null,
    participants_count     integer       not null check (participants_count >= 0),
    volunteers_count       integer       not null check (volunteers_count >= 0),
    sessions_count         integer       not null check (sessions_count >= 0),
    avg_integration_score  decimal(4, 3) check (avg_integration_score between 0 and 1),
    avg_language_level     decimal(4, 3) check (avg_language_level between 0 and 1),
    avg_job_readiness      decimal(4, 3) check (avg_job_readiness between 0 and 1),
    sroi_ratio             decimal(6, 2) not null check (sroi_ratio >= 0),
    vis_score              decimal(6, 2) not null check (vis_score between 0 and 100),
    total_volunteer_hours  integer       not null check (total_volunteer_hours >= 0),
    total_investment_cents bigint        not null check (total_investment_cents >= 0),
    created_at             timestamptz   not null default now(),
    updated_at             timestamptz   not null default now(),
    constraint metrics_company_period_company_id_period_key unique (company_id, period)
);

create index metrics_company_period_idx on metrics_company_period (company_id, period_start);
create index metrics_period_start_idx on metrics_company_period (period_start);

comment on table metrics_company_period is 'A company''s quarter, where it has hours, ratings, scores, or something that counts in the social return';
comment on column metrics_company_period.period is 'YYYY-QN, in UTC, of the data''s own time';
comment on column metrics_company_period.period_end is 'The last day';
comment on column metrics_company_period.participants_count is 'Of role participant, with a buddy enrolment that follows from their matches and began by period_end';
comment on column metrics_company_period.volunteers_count is 'Of role volunteer, buddy in a match that was active in the period';
comment on column metrics_company_period.sessions_count is 'Skill shares, and events that were logged or attended, each once';
comment on column metrics_company_period.avg_integration_score is 'Mean of the scores of belonging, well_being and confidence; null where there are none';
comment on column metrics_company_period.avg_language_level is 'Mean of the scores of lang_level_proxy; null where there are none';
comment on column metrics_company_period.avg_job_readiness is 'Null where there are no such scores';
comment on column metrics_company_period.sroi_ratio is 'Social return on investment: weights of what was done by what was invested; at most 9999.99';
comment on column metrics_company_period.vis_score is 'Volunteer impact score, 0 to 100';
comment on column metrics_company_period.total_volunteer_hours is 'Whole hours, half up';
comment on column metrics_company_period.total_investment_cents is 'What its campaigns spent, by days of overlap with the period; where that is nothing, the default of three months';
comment on column metrics_company_period.updated_at is 'When a column changed last';

-- What is there already is derived as well: things, then the quarters.
insert into touched_later (name, key)
select 'company_days', there.key
from (
    select 'membership ' || event_id as key from company_memberships
    union all select 'match ' || id from buddy_matches
    union all select 'feedback ' || id from buddy_feedback
    union all select 'milestone ' || id from journey_milestones where event_id is not null
    union all select 'session ' || id from kintell_sessions
    union all select 'rating ' || id from kintell_ratings
    union all select 'course ' || event_id from learning_reports
    union all select 'score ' || id from outcome_scores
    union all select 'enrollment ' || source_system || ' ' || source_id from enrollment_reports
    union all select 'placement ' || source_system || ' ' || source_id from placements
    union all select 'campaign ' || id from program_campaigns where snapshot_at is not null) as there;
insert into touched_later (name, key)
select distinct 'metrics_company_period', 'quarter ' || company_id || ' ' || to_char(day, 'YYYY-MM-DD') from company_days;
