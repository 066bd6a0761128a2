-- What is known of people, for events that do not name it themselves; asked when their range is sealed.
-- `people` has the people of the range (user_id). Rows come in the order of their time: of a column, an event takes the
-- latest value since its own time or earlier, else the first.
select user_id, seen_at as since, company_id, null::uuid as program_id, null::uuid as campaign_id, event_id as tie
from company_memberships where user_id in (select user_id from people)
union all
select user_id, enrolled_at, null, program_id, campaign_id, coalesce(program_id, campaign_id)
from program_enrollments
where user_id in (select user_id from people) and coalesce(program_id, campaign_id) is not null
order by user_id, since, tie;
