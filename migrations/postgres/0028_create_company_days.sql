-- What a company's people did, day by day: the inputs of the company's metrics, from which those of a month or a quarter
-- are sums. Placements and the budgets of campaigns are missing, because no event of theirs has a contract yet.
--
-- A day of a company depends on many events of many people, and on who belonged to the company then. Each event, score or
-- pair counts as one part or a few, and whenever something about it changes, its parts are computed anew from the tables
-- and the difference is added to the days. So it costs as much as there is new, and what has moved to another company or
-- day is taken away where it was.

-- A set of one, so that it becomes part of the statement that asks, and none where the person has no company.
create function company_at(person uuid, moment timestamptz) returns setof uuid
    language sql stable parallel safe as $$
        select of_person.id
        from (select coalesce(
            (select company_id from company_memberships where user_id = person and seen_at <= moment
             order by seen_at desc, event_id desc limit 1),
            (select company_id from company_memberships where user_id = person
             order by seen_at, event_id limit 1))) as of_person (id)
        where of_person.id <> '00000000-0000-0000-0000-000000000000'
    $$;

comment on function company_at is 'The company that a person belongs to at a moment: that of the latest snapshot at or before it, else of their first';

create table company_days (
    company_id      uuid           not null references companies (id),
    day             date           not null,
    campaign_id     uuid           references program_campaigns (id),
    program_id      uuid           references programs (id),
    minutes         numeric(38, 6) not null check (minutes >= 0),
    rating_sum      numeric(38, 6) not null check (rating_sum >= 0),
    rating_count    bigint         not null check (rating_count >= 0),
    score_sum       numeric(38, 6) not null check (score_sum >= 0),
    score_count     bigint         not null check (score_count >= 0),
    enrolled_people bigint         not null check (enrolled_people >= 0),
    matches         bigint         not null check (matches >= 0),
    events          bigint         not null check (events >= 0),
    skill_shares    bigint         not null check (skill_shares >= 0),
    feedbacks       bigint         not null check (feedbacks >= 0),
    milestones      bigint         not null check (milestones >= 0),
    checkins        bigint         not null check (checkins >= 0),
    sroi_weight     numeric(38, 6) not null check (sroi_weight >= 0),
    version         bigserial,
    constraint company_days_company_id_day_campaign_id_program_id_key
        unique nulls not distinct (company_id, day, campaign_id, program_id)
);

create index company_days_version_idx on company_days (version);
create index company_days_campaign_id_idx on company_days (campaign_id) where campaign_id is not null;
create index company_days_program_id_idx on company_days (program_id) where program_id is not null;

comment on table company_days is 'Inputs of the company metrics per company, campaign, program and day (UTC), each in addition to the others; a row of zeros is one that nothing speaks for any more';
comment on column company_days.day is 'Of the data''s own time, in UTC';
comment on column company_days.campaign_id is 'Of the session, match or enrolment where it names one';
comment on column company_days.program_id is 'Of the session, match or enrolment where it names one';
comment on column company_days.minutes is 'Volunteer minutes: completed sessions by the company''s volunteers, skill shares by its teachers, and volunteering that names the company';
comment on column company_days.rating_sum is 'Ratings on sessions of the company''s volunteers, and of participants on matches of its buddies';
comment on column company_days.score_sum is 'Outcome scores of the company''s people';
comment on column company_days.enrolled_people is 'People of the company whose first enrolment of any kind begins on this day';
comment on column company_days.matches is 'Begun on this day; as what follows, once for each company whose people it concerns';
comment on column company_days.events is 'Logged (of both people of the match) and attended (of the person)';
comment on column company_days.feedbacks is 'By who gave it';
comment on column company_days.milestones is 'Milestones that events carry (buddy:…)';
comment on column company_days.sroi_weight is 'The sum of the weights of what is counted from matches on';
comment on column company_days.version is 'New whenever the row is written; rows are written by one process at a time, so versions become visible in their order';

create table company_day_parts (
    entity_id   uuid,
    person_id   uuid           references users (id) on update cascade,
    about       uuid           generated always as (coalesce(entity_id, person_id)) stored,
    measure     varchar(50)    not null
                check (measure in ('minutes', 'rating', 'score', 'enrolled', 'match', 'event', 'skill_share', 'feedback',
                                   'milestone', 'checkin')),
    company_id  uuid           not null,
    campaign_id uuid,
    program_id  uuid,
    day         date           not null,
    value       numeric(38, 6) not null,
    constraint company_day_parts_about_check check (num_nonnulls(entity_id, person_id) = 1),
    primary key (about, measure, company_id)
);

create index company_day_parts_person_id_idx on company_day_parts (person_id) where person_id is not null;

comment on table company_day_parts is 'What company_days is the sum of: what counts, as what, and for which company and day it counted when it was looked at last';
comment on column company_day_parts.entity_id is 'Session, rating, match, …: the id of its row; of volunteering, which has none, derived from its key';
comment on column company_day_parts.person_id is 'Who was enrolled; a person may change ids, hence a column that follows';
comment on column company_day_parts.company_id is 'As the other ids without a foreign key: company_days has them';
comment on column company_day_parts.value is 'Minutes, rating, score (as received, to 6 decimals), or the weight in SROI';

-- Companies are carried to ClickHouse as company_days are.
alter table companies add column version bigserial;

-- Not unique: whoever changes a column of a unique key locks out all that refer to the row.
create index companies_version_idx on companies (version);

comment on column companies.version is 'New whenever industry, country or country_code change; drawn before the commit, so a smaller one may become visible later';
