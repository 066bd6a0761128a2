-- The means of a company's quarter are by dimension, so its days keep them apart as well.

alter table company_days
    add column integration_sum     numeric(38, 6) not null default 0 check (integration_sum >= 0),
    add column integration_count   bigint         not null default 0 check (integration_count >= 0),
    add column language_sum        numeric(38, 6) not null default 0 check (language_sum >= 0),
    add column language_count      bigint         not null default 0 check (language_count >= 0),
    add column job_readiness_sum   numeric(38, 6) not null default 0 check (job_readiness_sum >= 0),
    add column job_readiness_count bigint         not null default 0 check (job_readiness_count >= 0);

alter table company_day_parts drop constraint company_day_parts_measure_check;
update company_day_parts as part
set measure = case score.dimension
    when 'lang_level_proxy' then 'language' when 'job_readiness' then 'job_readiness' else 'integration' end
from outcome_scores as score
where part.measure = 'score' and score.id = part.entity_id;
alter table company_day_parts add constraint company_day_parts_measure_check
    check (measure in ('minutes', 'rating', 'integration', 'language', 'job_readiness', 'enrolled', 'match', 'event',
                       'skill_share', 'feedback', 'milestone', 'checkin'));

update company_days as known
set integration_sum = sums.integration_sum, integration_count = sums.integration_count,
    language_sum = sums.language_sum, language_count = sums.language_count,
    job_readiness_sum = sums.job_readiness_sum, job_readiness_count = sums.job_readiness_count
from (
    select company_id, day,
        coalesce(sum(value) filter (where measure = 'integration'), 0) as integration_sum,
        count(*) filter (where measure = 'integration') as integration_count,
        coalesce(sum(value) filter (where measure = 'language'), 0) as language_sum,
        count(*) filter (where measure = 'language') as language_count,
        coalesce(sum(value) filter (where measure = 'job_readiness'), 0) as job_readiness_sum,
        count(*) filter (where measure = 'job_readiness') as job_readiness_count
    from company_day_parts
    where measure in ('integration', 'language', 'job_readiness')
    group by company_id, day) as sums
where known.company_id = sums.company_id and known.day = sums.day
  and known.campaign_id is null and known.program_id is null; -- a score names none

comment on column company_days.score_sum is 'Outcome scores of the company''s people, of all dimensions; what follows are its parts';
comment on column company_days.integration_sum is 'Scores of belonging, well_being and confidence';
comment on column company_days.language_sum is 'Scores of lang_level_proxy';
comment on column company_days.job_readiness_sum is 'Scores of job_readiness';
