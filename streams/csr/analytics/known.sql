-- What is known of people, for events that do not name it themselves; asked when their range is sealed.
-- `people` has the people of the range (user_id). Rows come in the order of their time: of a column, an event takes the
-- latest value since its own time or earlier, else the first.
-- An event may name an id that the person has no more.
select named.user_id, known.since, known.company_id, known.program_id, known.campaign_id, known.tie
from (
    select user_id, user_id as person_id from people
    union
    select derived_user_id, user_emails.user_id from user_emails
    where derived_user_id in (select user_id from people)) as named
cross join lateral (
    select seen_at as since, company_id, null::uuid as program_id, null::uuid as campaign_id, event_id as tie
    from company_memberships where user_id = named.person_id and company_id is not null
    union all
    select enrolled_at, null, program_id, campaign_id, coalesce(program_id, campaign_id)
    from program_enrollments
    where user_id = named.person_id and coalesce(program_id, campaign_id) is not null) as known
order by user_id, since, tie;
