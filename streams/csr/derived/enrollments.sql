-- What people take part in, as it follows from what they did: one row per person and program type. A session may be told
-- anew with another participant or as another type; an enrolment that nothing speaks for any more is none.
delete from program_enrollments as known
where user_id in (select key::uuid from touched) and source_id is null and program_type in ('language', 'mentorship')
  and not exists (
      select from kintell_sessions where participant_id = known.user_id and session_type = known.program_type);

-- Buddy, of both people of a match: active while a match is; afterwards completed if any match ended that way, else
-- dropped. Language and mentorship, of a session's participant: active. Upskilling: active while a course is.
with person as (select key::uuid as id from touched),
taken as (
    select person.id as user_id, 'buddy' as program_type, min(matches.matched_at) as enrolled_at,
        case
            when bool_or(matches.status = 'active') then 'active'
            when bool_or(matches.ended_reason = 'completed') then 'completed'
            else 'dropped'
        end as status,
        case when not bool_or(matches.status = 'active')
             then max(matches.ended_at) filter (where matches.ended_reason = 'completed') end as completed_at,
        (array_agg(matches.program_id order by matches.matched_at, matches.id)
            filter (where matches.program_id is not null))[1] as program_id,
        (array_agg(matches.campaign_id order by matches.matched_at, matches.id)
            filter (where matches.campaign_id is not null))[1] as campaign_id
    from person
    cross join lateral (
        select * from buddy_matches where participant_id = person.id
        union
        select * from buddy_matches where buddy_id = person.id) as matches
    group by person.id
    union all
    select person.id, sessions.session_type, min(least(sessions.scheduled_at, sessions.completed_at)),
        'active', null,
        (array_agg(sessions.program_id order by least(sessions.scheduled_at, sessions.completed_at), sessions.id)
            filter (where sessions.program_id is not null))[1],
        (array_agg(sessions.campaign_id order by least(sessions.scheduled_at, sessions.completed_at), sessions.id)
            filter (where sessions.campaign_id is not null))[1]
    from person join kintell_sessions as sessions on sessions.participant_id = person.id
    where sessions.session_type in ('language', 'mentorship')
    group by person.id, sessions.session_type
    union all
    select person.id, 'upskilling', min(least(courses.started_at, courses.completed_at)),
        case
            when bool_or(courses.status in ('enrolled', 'in_progress')) then 'active'
            when bool_or(courses.status = 'completed') then 'completed'
            else 'dropped'
        end,
        case when not bool_or(courses.status in ('enrolled', 'in_progress'))
             then max(courses.completed_at) filter (where courses.status = 'completed') end,
        (select program_id from learning_reports where user_id = person.id and program_id is not null
         order by told_at, event_at, event_id limit 1),
        (select campaign_id from learning_reports where user_id = person.id and campaign_id is not null
         order by told_at, event_at, event_id limit 1)
    from person join learning_progress as courses on courses.user_id = person.id
    group by person.id)
insert into program_enrollments as known
    (user_id, program_type, enrolled_at, status, completed_at, program_id, campaign_id)
select user_id, program_type, enrolled_at, status, completed_at, program_id, campaign_id
from taken
order by user_id, program_type
on conflict (user_id, program_type) where source_id is null do update set
    enrolled_at = excluded.enrolled_at, status = excluded.status, completed_at = excluded.completed_at,
    program_id = excluded.program_id, campaign_id = excluded.campaign_id
where (known.enrolled_at, known.status, known.completed_at, known.program_id, known.campaign_id)
      is distinct from
      (excluded.enrolled_at, excluded.status, excluded.completed_at, excluded.program_id, excluded.campaign_id);
