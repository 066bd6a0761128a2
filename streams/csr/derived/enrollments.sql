-- The buddy programme's enrolment of each person in a match: active while a match is; afterwards completed if any
-- match ended that way, else dropped.
insert into program_enrollments as known
    (user_id, program_type, enrolled_at, status, completed_at, program_id, campaign_id)
select person.id, 'buddy', min(matches.matched_at),
    case
        when bool_or(matches.status = 'active') then 'active'
        when bool_or(matches.ended_reason = 'completed') then 'completed'
        else 'dropped'
    end,
    case when not bool_or(matches.status = 'active')
         then max(matches.ended_at) filter (where matches.ended_reason = 'completed') end,
    (array_agg(matches.program_id order by matches.matched_at, matches.id)
        filter (where matches.program_id is not null))[1],
    (array_agg(matches.campaign_id order by matches.matched_at, matches.id)
        filter (where matches.campaign_id is not null))[1]
from (select key::uuid as id from touched) as person
cross join lateral (
    select * from buddy_matches where participant_id = person.id
    union
    select * from buddy_matches where buddy_id = person.id) as matches
group by person.id
order by person.id
on conflict (user_id, program_type) where source_id is null do update set
    enrolled_at = excluded.enrolled_at, status = excluded.status, completed_at = excluded.completed_at,
    program_id = excluded.program_id, campaign_id = excluded.campaign_id
where (known.enrolled_at, known.status, known.completed_at, known.program_id, known.campaign_id)
      is distinct from
      (excluded.enrolled_at, excluded.status, excluded.completed_at, excluded.program_id, excluded.campaign_id);
