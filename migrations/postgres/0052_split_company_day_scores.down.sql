-- Undoes 0052.

comment on column company_days.score_sum is 'Outcome scores of the company''s people';

alter table company_day_parts drop constraint company_day_parts_measure_check;
update company_day_parts set measure = 'score' where measure in ('integration', 'language', 'job_readiness');
alter table company_day_parts add constraint company_day_parts_measure_check
    check (measure in ('minutes', 'rating', 'score', 'enrolled', 'match', 'event', 'skill_share', 'feedback',
                       'milestone', 'checkin'));

alter table company_days
    drop column integration_sum,
    drop column integration_count,
    drop column language_sum,
    drop column language_count,
    drop column job_readiness_sum,
    drop column job_readiness_count;
