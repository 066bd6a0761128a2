-- The earliest ending by (timestamp, event id) counts: the guard is for a second one, redelivered or late.
-- Locked in the order of the keys before the update, which itself has no order.
with endings as (
    select distinct on (match_id) match_id, ended_at, reason, envelope_id, envelope_timestamp
    from batch
    order by match_id, envelope_timestamp, envelope_id),
locked as (
    select id from buddy_matches where id in (select match_id from endings) order by id for no key update),
ended as (
    update buddy_matches as matches
    set status = 'ended', ended_at = endings.ended_at, ended_reason = endings.reason,
        ended_event = endings.envelope_id, ended_event_at = endings.envelope_timestamp
    from endings join locked on locked.id = endings.match_id
    where matches.id = endings.match_id
      and (matches.ended_event is null
           or (endings.envelope_timestamp, endings.envelope_id) < (matches.ended_event_at, matches.ended_event))
    returning matches.id, matches.participant_id, matches.buddy_id)
select 'enrollments' as touched, person.id::text as key
from ended cross join lateral (values (participant_id), (buddy_id)) as person (id)
union all
select 'company_days', 'match ' || id from ended;
