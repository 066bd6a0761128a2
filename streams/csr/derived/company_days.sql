-- The days of companies, from what their people did. Computed later, by one process at a time (see 0028). A quarter is
-- derived again where a day of it has changed.
--
-- A key is a word and the id of what was touched. Keys name things and not people, because a person may get another id
-- before the key is read; whose they are is looked up here.
with named as materialized (
    select kind, name, case when kind not in ('volunteering', 'enrollment', 'placement') then name::uuid end as id
    from touched
    cross join lateral (
        select split_part(key, ' ', 1), substr(key, strpos(key, ' ') + 1)) as parts (kind, name)),

-- What has to be looked at again. With a snapshot everything of the person, as they may have belonged to another company;
-- not so when the snapshot before it has the same company, for then it says nothing new about any moment.
moved as materialized (
    select distinct told.user_id as id
    from named join company_memberships as told on told.event_id = named.id
    where named.kind = 'membership'
      and told.company_id is distinct from (
          select before.company_id from company_memberships as before
          where before.user_id = told.user_id and (before.seen_at, before.event_id) < (told.seen_at, told.event_id)
          order by before.seen_at desc, before.event_id desc limit 1)
    union
    -- Also when a snapshot made two people one: what either did belongs to the companies of both.
    select told.user_id from named join company_memberships as told on told.event_id = named.id
    where named.kind = 'merged'),
moved_matches as materialized (
    select matches.id from moved join buddy_matches as matches on matches.participant_id = moved.id
    union
    select matches.id from moved join buddy_matches as matches on matches.buddy_id = moved.id),
matches as materialized (
    select id from named where kind = 'match' union select id from moved_matches),
sessions as materialized (
    select id from named where kind = 'session'
    union
    select sessions.id from moved join kintell_sessions as sessions on sessions.volunteer_id = moved.id
    union
    select sessions.id from moved join kintell_sessions as sessions on sessions.participant_id = moved.id
    where sessions.session_type = 'skill_share'),
ratings as materialized (
    select id from named where kind = 'rating'
    union
    select ratings.id from sessions join kintell_ratings as ratings on ratings.session_id = sessions.id),
events as materialized (
    select id from named where kind = 'event'
    union
    select events.id from moved join buddy_events as events on events.user_id = moved.id
    union
    select events.id from moved_matches join buddy_events as events on events.match_id = moved_matches.id),
checkins as materialized (
    select id from named where kind = 'checkin'
    union
    select checkins.id from moved_matches join buddy_checkins as checkins on checkins.match_id = moved_matches.id),
feedback as materialized (
    select id from named where kind = 'feedback'
    union
    select feedback.id from moved_matches join buddy_feedback as feedback on feedback.match_id = moved_matches.id),
scores as materialized (
    select id from named where kind = 'score'
    union
    select scores.id from moved join outcome_scores as scores on scores.user_id = moved.id),
milestones as materialized (
    select id from named where kind = 'milestone'
    union
    select reached.id from moved join journey_milestones as reached on reached.user_id = moved.id
    where reached.event_id is not null),
entries as materialized (
    select split_part(name, ' ', 1) as source, substr(name, strpos(name, ' ') + 1) as source_id,
        derived_id('milepost:volunteering:' || name) as id
    from named where kind = 'volunteering'),
-- Whose first enrolment may have become another one; of what names other people now, also whom it named before.
newcomers as materialized (
    select id from moved
    union
    -- Whoever turned out to be somebody else: they count no more.
    select id from named where kind = 'gone'
    union
    select person.id
    from named join buddy_matches as matches on matches.id = named.id
    cross join lateral (values (matches.participant_id), (matches.buddy_id)) as person (id)
    where named.kind = 'match'
    union
    select people.user_id from named join kintell_session_people as people on people.session_id = named.id
    where named.kind = 'session'
    union
    select reports.user_id from named join learning_reports as reports on reports.event_id = named.id
    where named.kind = 'course'
    union
    select people.user_id
    from named join enrollment_report_people as people
      on people.source_system = split_part(named.name, ' ', 1)
     and people.source_id = substr(named.name, strpos(named.name, ' ') + 1)
    where named.kind = 'enrollment'),

-- What it counts as now: once for each company that it concerns (`union` and not `union all`).
counted (entity_id, person_id, measure, company_id, campaign_id, program_id, at, value) as (
    select sessions.id, null::uuid, 'minutes', company.id, session.campaign_id, session.program_id,
        session.completed_at, session.duration_minutes::numeric
    from sessions join kintell_sessions as session on session.id = sessions.id
    cross join lateral company_at(session.volunteer_id, session.completed_at) as company (id)
    where session.completed_at is not null and session.duration_minutes is not null
    union
    -- An event with a company of its own keeps that.
    select entries.id, null, 'minutes', entry.company_id, null, null, entry.activity_date, entry.hours * 60
    from entries join volunteering as entry on entry.source = entries.source and entry.source_id = entries.source_id
    where entry.company_id <> '00000000-0000-0000-0000-000000000000'
    union
    select ratings.id, null, 'rating', company.id, session.campaign_id, session.program_id, rating.created_at,
        rating.rating
    from ratings join kintell_ratings as rating on rating.id = ratings.id
    join kintell_sessions as session on session.id = rating.session_id
    cross join lateral company_at(session.volunteer_id, rating.created_at) as company (id)
    union
    select feedback.id, null, 'rating', company.id, pair.campaign_id, pair.program_id, given.submitted_at, given.rating
    from feedback join buddy_feedback as given on given.id = feedback.id
    join buddy_matches as pair on pair.id = given.match_id
    cross join lateral company_at(pair.buddy_id, given.submitted_at) as company (id)
    where given.from_role = 'participant'
    union
    select scores.id, null,
        case score.dimension when 'lang_level_proxy' then 'language' when 'job_readiness' then 'job_readiness'
                             else 'integration' end,
        company.id, null, null, score.created_at, score.score
    from scores join outcome_scores as score on score.id = scores.id
    cross join lateral company_at(score.user_id, score.created_at) as company (id)
    union
    select null, newcomers.id, 'enrolled', company.id, first.campaign_id, first.program_id, first.enrolled_at, 1
    from newcomers
    cross join lateral (
        select enrolled_at, campaign_id, program_id from program_enrollments where user_id = newcomers.id
        order by enrolled_at, program_type, source_system nulls first, source_id limit 1) as first
    cross join lateral company_at(newcomers.id, first.enrolled_at) as company (id)
    union
    select matches.id, null, 'match', company.id, pair.campaign_id, pair.program_id, pair.matched_at, null
    from matches join buddy_matches as pair on pair.id = matches.id
    cross join lateral (values (pair.participant_id), (pair.buddy_id)) as person (id)
    cross join lateral company_at(person.id, pair.matched_at) as company (id)
    union
    -- Of an event logged both people of the match, of one attended the person. An online skill share has a row of its own
    -- among these, which says its format and is none.
    select events.id, null, 'event', company.id, pair.campaign_id, pair.program_id, event.event_date, null
    from events join buddy_events as event on event.id = events.id
    left join buddy_matches as pair on pair.id = event.match_id
    cross join lateral (
        select event.user_id where event.user_id is not null
        union all
        select both_people.id from (values (pair.participant_id), (pair.buddy_id)) as both_people (id)
        where event.user_id is null and not event.metadata ? 'event_format') as person (id)
    cross join lateral company_at(person.id, event.event_date) as company (id)
    union
    select sessions.id, null, 'skill_share', company.id, session.campaign_id, session.program_id,
        session.completed_at, null
    from sessions join kintell_sessions as session on session.id = sessions.id
    cross join lateral (values (session.participant_id), (session.volunteer_id)) as person (id)
    cross join lateral company_at(person.id, session.completed_at) as company (id)
    where session.session_type = 'skill_share'
    union
    select feedback.id, null, 'feedback', company.id, pair.campaign_id, pair.program_id, given.submitted_at, null
    from feedback join buddy_feedback as given on given.id = feedback.id
    join buddy_matches as pair on pair.id = given.match_id
    cross join lateral company_at(
        case given.from_role when 'participant' then pair.participant_id else pair.buddy_id end, given.submitted_at)
        as company (id)
    union
    select milestones.id, null, 'milestone', company.id, null, null, reached.reached_at, null
    from milestones join journey_milestones as reached on reached.id = milestones.id
    cross join lateral company_at(reached.user_id, reached.reached_at) as company (id)
    union
    select checkins.id, null, 'checkin', company.id, pair.campaign_id, pair.program_id, checkin.checkin_date, null
    from checkins join buddy_checkins as checkin on checkin.id = checkins.id
    join buddy_matches as pair on pair.id = checkin.match_id
    cross join lateral (values (pair.participant_id), (pair.buddy_id)) as person (id)
    cross join lateral company_at(person.id, checkin.checkin_date) as company (id)),

-- What a thing weighs in the social return. Change it, and what is derived from then on weighs so; rebuilding makes all
-- weigh so.
weights (measure, weight) as (
    values ('match', 10), ('event', 5), ('skill_share', 15), ('feedback', 8), ('milestone', 20), ('checkin', 3)),
parts as materialized (
    select coalesce(entity_id, person_id) as about, entity_id, person_id, measure, company_id, campaign_id, program_id,
        (at at time zone 'UTC')::date as day, round(coalesce(value, weight), 6) as value
    from counted left join weights using (measure)),

-- What it counted as when it was looked at last.
looked_at (about) as (
    select id from matches union select id from sessions union select id from ratings union select id from events
    union select id from checkins union select id from feedback union select id from scores union select id from milestones
    union select id from entries union select id from newcomers),
-- Locked: a batch may give a part another key meanwhile (somebody gets another id, or turns out to be somebody else). Such
-- a part is not found under the old key any more, and so is not taken away here; the batch has noted the new one. In the
-- order of their keys, as everywhere.
known as materialized (
    select known.about, known.measure, known.company_id, known.campaign_id, known.program_id, known.day, known.value
    from looked_at join company_day_parts as known on known.about = looked_at.about
    order by known.about, known.measure, known.company_id
    for update of known),
removed as (
    delete from company_day_parts as part using known
    where (part.about, part.measure, part.company_id) = (known.about, known.measure, known.company_id)
      and not exists (
          select from parts
          where (parts.about, parts.measure, parts.company_id) = (known.about, known.measure, known.company_id))),
written as (
    insert into company_day_parts as part
        (entity_id, person_id, measure, company_id, campaign_id, program_id, day, value)
    select entity_id, person_id, measure, company_id, campaign_id, program_id, day, value from parts
    on conflict (about, measure, company_id) do update set
        campaign_id = excluded.campaign_id, program_id = excluded.program_id, day = excluded.day, value = excluded.value
    where (part.campaign_id, part.program_id, part.day, part.value)
          is distinct from (excluded.campaign_id, excluded.program_id, excluded.day, excluded.value)),

-- The difference, where there is one, goes to the days. No minutes are no difference, a rating of zero is one.
differing as (
    select company_id, day, campaign_id, program_id, measure, sum(value) as value, sum(number) as number
    from (
        select company_id, day, campaign_id, program_id, measure, value, 1 as number from parts
        union all
        select company_id, day, campaign_id, program_id, measure, -value, -1 from known) as changes
    group by company_id, day, campaign_id, program_id, measure
    having sum(value) <> 0 or (measure <> 'minutes' and sum(number) <> 0)),
added as (
    select company_id, day, campaign_id, program_id,
        sum(value) filter (where measure = 'minutes') as minutes,
        sum(value) filter (where measure = 'rating') as rating_sum,
        sum(number) filter (where measure = 'rating') as rating_count,
        sum(value) filter (where measure in ('integration', 'language', 'job_readiness')) as score_sum,
        sum(number) filter (where measure in ('integration', 'language', 'job_readiness')) as score_count,
        sum(value) filter (where measure = 'integration') as integration_sum,
        sum(number) filter (where measure = 'integration') as integration_count,
        sum(value) filter (where measure = 'language') as language_sum,
        sum(number) filter (where measure = 'language') as language_count,
        sum(value) filter (where measure = 'job_readiness') as job_readiness_sum,
        sum(number) filter (where measure = 'job_readiness') as job_readiness_count,
        sum(number) filter (where measure = 'enrolled') as enrolled_people,
        sum(number) filter (where measure = 'match') as matches,
        sum(number) filter (where measure = 'event') as events,
        sum(number) filter (where measure = 'skill_share') as skill_shares,
        sum(number) filter (where measure = 'feedback') as feedbacks,
        sum(number) filter (where measure = 'milestone') as milestones,
        sum(number) filter (where measure = 'checkin') as checkins,
        sum(value) filter (where measure in (select measure from weights)) as sroi_weight
    from differing
    group by company_id, day, campaign_id, program_id),
days as (
    insert into company_days as known
        (company_id, day, campaign_id, program_id, minutes, rating_sum, rating_count, score_sum, score_count,
         integration_sum, integration_count, language_sum, language_count, job_readiness_sum, job_readiness_count,
         enrolled_people, matches, events, skill_shares, feedbacks, milestones, checkins, sroi_weight)
    select added.company_id, added.day, added.campaign_id, added.program_id,
        coalesce(before.minutes, 0) + coalesce(added.minutes, 0),
        coalesce(before.rating_sum, 0) + coalesce(added.rating_sum, 0),
        coalesce(before.rating_count, 0) + coalesce(added.rating_count, 0),
        coalesce(before.score_sum, 0) + coalesce(added.score_sum, 0),
        coalesce(before.score_count, 0) + coalesce(added.score_count, 0),
        coalesce(before.integration_sum, 0) + coalesce(added.integration_sum, 0),
        coalesce(before.integration_count, 0) + coalesce(added.integration_count, 0),
        coalesce(before.language_sum, 0) + coalesce(added.language_sum, 0),
        coalesce(before.language_count, 0) + coalesce(added.language_count, 0),
        coalesce(before.job_readiness_sum, 0) + coalesce(added.job_readiness_sum, 0),
        coalesce(before.job_readiness_count, 0) + coalesce(added.job_readiness_count, 0),
        coalesce(before.enrolled_people, 0) + coalesce(added.enrolled_people, 0),
        coalesce(before.matches, 0) + coalesce(added.matches, 0),
        coalesce(before.events, 0) + coalesce(added.events, 0),
        coalesce(before.skill_shares, 0) + coalesce(added.skill_shares, 0),
        coalesce(before.feedbacks, 0) + coalesce(added.feedbacks, 0),
        coalesce(before.milestones, 0) + coalesce(added.milestones, 0),
        coalesce(before.checkins, 0) + coalesce(added.checkins, 0),
        coalesce(before.sroi_weight, 0) + coalesce(added.sroi_weight, 0)
    from added
    left join company_days as before
      on before.company_id = added.company_id and before.day = added.day
     and before.campaign_id is not distinct from added.campaign_id
     and before.program_id is not distinct from added.program_id
    on conflict (company_id, day, campaign_id, program_id) do update set
        minutes = excluded.minutes, rating_sum = excluded.rating_sum, rating_count = excluded.rating_count,
        score_sum = excluded.score_sum, score_count = excluded.score_count,
        integration_sum = excluded.integration_sum, integration_count = excluded.integration_count,
        language_sum = excluded.language_sum, language_count = excluded.language_count,
        job_readiness_sum = excluded.job_readiness_sum, job_readiness_count = excluded.job_readiness_count,
        enrolled_people = excluded.enrolled_people, matches = excluded.matches, events = excluded.events, skill_shares = excluded.skill_shares,
        feedbacks = excluded.feedbacks, milestones = excluded.milestones, checkins = excluded.checkins,
        sroi_weight = excluded.sroi_weight, version = excluded.version)
select distinct 'metrics_company_period' as touched,
    'quarter ' || company_id || ' ' || to_char(date_trunc('quarter', day::timestamp), 'YYYY-MM-DD') as key
from added;
