-- What speaks for people's outcomes, in one list. Derived from the notes of company_days; each thing that they name is
-- looked at anew. Measures only: nothing that somebody wrote.
with named as materialized (
    select kind,
        case when kind in ('session', 'rating', 'feedback', 'milestone', 'course', 'merged') then name::uuid end as id
    from touched
    cross join lateral (
        select split_part(key, ' ', 1), substr(key, strpos(key, ' ') + 1)) as parts (kind, name)),
-- Two people who turned out to be one may both have had the same milestone or course.
merged as materialized (
    select told.user_id as id from named join company_memberships as told on told.event_id = named.id
    where named.kind = 'merged'),
ratings as materialized (
    select rating.* from named join kintell_ratings as rating on rating.id = named.id
    where named.kind = 'rating'
    union
    -- Who gave a rating may become somebody else with the session's people.
    select rating.* from named join kintell_ratings as rating on rating.session_id = named.id
    where named.kind = 'session'),
-- A session shows the mean of its ratings.
sessions as materialized (
    select id from named where kind = 'session'
    union
    select session_id from ratings),
courses as materialized (
    select report.progress_id as id from named join learning_reports as report on report.event_id = named.id
    where named.kind = 'course' and report.kind = 'completion'
    union
    select report.progress_id from merged join learning_reports as report on report.user_id = merged.id
    where report.kind = 'completion'),
milestones as materialized (
    select id from named where kind = 'milestone'
    union
    select reached.id from merged join journey_milestones as reached on reached.user_id = merged.id),

told as materialized (
    select 'session' as evidence_type,
        case session.session_type when 'skill_share' then 'buddy' else 'kintell' end as source_system,
        session.id::text as source_id, session.participant_id as user_id, session.completed_at as evidence_at,
        session.campaign_id,
        jsonb_strip_nulls(jsonb_build_object(
            'session_type', session.session_type, 'duration_minutes', session.duration_minutes,
            'language_level', session.language_level, 'rating', session.rating, 'skill_id', session.metadata -> 'skill_id',
            'proficiency_level', session.metadata -> 'proficiency_level', 'sdg_goals', session.metadata -> 'sdg_goals',
            'valuation_points', session.metadata -> 'valuation_points')) as evidence_data
    from sessions join kintell_sessions as session on session.id = sessions.id
    where session.completed_at is not null
    union all
    select 'feedback', 'kintell', rating.id::text,
        case rating.from_role when 'participant' then session.participant_id else session.volunteer_id end,
        rating.created_at, session.campaign_id,
        jsonb_build_object('from_role', rating.from_role, 'rating', rating.rating, 'session_id', rating.session_id)
    from ratings as rating join kintell_sessions as session on session.id = rating.session_id
    union all
    select 'feedback', 'buddy', given.id::text,
        case given.from_role when 'participant' then pair.participant_id else pair.buddy_id end,
        given.submitted_at, pair.campaign_id,
        jsonb_strip_nulls(jsonb_build_object(
            'from_role', given.from_role, 'rating', given.rating, 'match_id', given.match_id,
            'communication', given.categories -> 'communication', 'helpfulness', given.categories -> 'helpfulness',
            'engagement', given.categories -> 'engagement'))
    from named join buddy_feedback as given on given.id = named.id
    join buddy_matches as pair on pair.id = given.match_id
    where named.kind = 'feedback'
    union all
    select 'milestone', 'buddy', split_part(reached.milestone, ':', 2), reached.user_id, reached.reached_at, null,
        jsonb_build_object('category', reached.metadata -> 'category', 'points', reached.metadata -> 'points')
    from milestones join journey_milestones as reached on reached.id = milestones.id
    where reached.event_id is not null
    union all
    -- Of several completions under one progressId the earliest.
    (select distinct on (report.progress_id, report.user_id)
        'milestone', 'upskilling', report.progress_id::text, report.user_id, report.told_at, report.campaign_id,
        jsonb_strip_nulls(jsonb_build_object(
            'provider', report.provider, 'course_id', report.course_id, 'final_score', report.metadata -> 'final_score'))
    from courses join learning_reports as report on report.progress_id = courses.id and report.kind = 'completion'
    order by report.progress_id, report.user_id, report.told_at, report.event_at, report.event_id)),

-- What was told of somebody who is not named any more is taken back.
looked_at (evidence_type, source_system, source_id) as (
    select 'session', unnest('{kintell,buddy}'::text[]), id::text from sessions
    union all
    select 'feedback', 'kintell', id::text from ratings),
removed as (
    delete from evidence_ledger as known using looked_at
    where (known.evidence_type, known.source_system, known.source_id)
          = (looked_at.evidence_type, looked_at.source_system, looked_at.source_id)
      and not exists (
          select from told
          where (told.evidence_type, told.source_system, told.source_id, told.user_id)
                = (known.evidence_type, known.source_system, known.source_id, known.user_id)))
insert into evidence_ledger as known
    (evidence_type, source_system, source_id, user_id, company_id, campaign_id, evidence_data, evidence_at)
select told.evidence_type, told.source_system, told.source_id, told.user_id, company.id, told.campaign_id,
    told.evidence_data, told.evidence_at
from told left join lateral company_at(told.user_id, told.evidence_at) as company (id) on true
on conflict (evidence_type, source_system, source_id, user_id) do update set
    company_id = excluded.company_id, campaign_id = excluded.campaign_id, evidence_data = excluded.evidence_data,
    evidence_at = excluded.evidence_at
where (known.company_id, known.campaign_id, known.evidence_data, known.evidence_at)
      is distinct from (excluded.company_id, excluded.campaign_id, excluded.evidence_data, excluded.evidence_at);

-- With a snapshot, what a person did may be of another company; not so when the snapshot before it has the same company.
with named as materialized (
    select case when key like 'membership %' then substr(key, 12)::uuid end as id,
        case when key like 'merged %' then substr(key, 8)::uuid end as merged
    from touched),
moved as materialized (
    select distinct told.user_id as id
    from named join company_memberships as told on told.event_id = named.id
    where told.company_id is distinct from (
          select before.company_id from company_memberships as before
          where before.user_id = told.user_id and (before.seen_at, before.event_id) < (told.seen_at, told.event_id)
          order by before.seen_at desc, before.event_id desc limit 1)
    union
    select told.user_id from named join company_memberships as told on told.event_id = named.merged),
evidence as materialized (
    select known.id, company.id as company_id
    from moved join evidence_ledger as known on known.user_id = moved.id
    left join lateral company_at(known.user_id, known.evidence_at) as company (id) on true)
update evidence_ledger as known set company_id = evidence.company_id
from evidence
where known.id = evidence.id and known.company_id is distinct from evidence.company_id;
