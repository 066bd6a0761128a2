-- A person's quarter as their outcome scores have it. Derived from the notes of company_days; only scores matter here.
with named as materialized (
    select case when key like 'score %' then substr(key, 7)::uuid end as id,
        case when key like 'merged %' then substr(key, 8)::uuid end as merged
    from touched),
quarters as materialized (
    select distinct score.user_id, date_trunc('quarter', score.created_at at time zone 'UTC') as start
    from named join outcome_scores as score on score.id = named.id
    where score.user_id is not null
    union
    -- Of two people who turned out to be one, all is looked at anew.
    select distinct score.user_id, date_trunc('quarter', score.created_at at time zone 'UTC')
    from named join company_memberships as told on told.event_id = named.merged
    join outcome_scores as score on score.user_id = told.user_id)
insert into outcome_scores_quarterly as known
    (user_id, quarter, integration_score, language_score, job_readiness_score, confidence, evidence_lineage)
select quarters.user_id, to_char(quarters.start, 'YYYY"-Q"Q'),
    round(avg(score.score) filter (where score.dimension in ('belonging', 'well_being', 'confidence')), 3),
    round(avg(score.score) filter (where score.dimension = 'lang_level_proxy'), 3),
    round(avg(score.score) filter (where score.dimension = 'job_readiness'), 3),
    round(avg(score.confidence), 3),
    jsonb_agg(score.id order by score.id)
from quarters
join outcome_scores as score
  on score.user_id = quarters.user_id and score.created_at >= quarters.start at time zone 'UTC'
 and score.created_at < (quarters.start + interval '3 months') at time zone 'UTC'
group by quarters.user_id, quarters.start
on conflict (user_id, quarter) do update set
    integration_score = excluded.integration_score, language_score = excluded.language_score,
    job_readiness_score = excluded.job_readiness_score, confidence = excluded.confidence,
    evidence_lineage = excluded.evidence_lineage
where (known.integration_score, known.language_score, known.job_readiness_score, known.confidence,
       known.evidence_lineage)
      is distinct from
      (excluded.integration_score, excluded.language_score, excluded.job_readiness_score, excluded.confidence,
       excluded.evidence_lineage);
