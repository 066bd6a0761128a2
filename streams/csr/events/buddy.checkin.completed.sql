-- One creating event per check-in: a second one under another event id changes nothing. What is said in a match of which
-- somebody was erased is not kept.
with told as (
    select distinct on (checkin_id) batch.*, gone.person as erased
    from batch
    left join subject_keys as gone
      on gone.subject = subject_of('match', match_id::text) and gone.destroyed_at is not null
    order by checkin_id, envelope_timestamp, envelope_id),
created as (
    insert into buddy_checkins (id, match_id, checkin_date, mood, notes, question_responses, created_event)
    select checkin_id, match_id, checkin_date, mood, case when erased is null then notes end,
        case when erased is null then question_responses end, envelope_id
    from told
    order by checkin_id
    on conflict (id) do nothing
    returning id)
select 'company_days' as touched, 'checkin ' || id as key from created
union all
select about.touched, about.key
from told cross join lateral forget_reviews(array[checkin_id], erased) as about
where erased is not null;
