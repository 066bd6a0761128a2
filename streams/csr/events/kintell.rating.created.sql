-- One creating event per rating: a second one under another event id changes nothing. The rating is read from the text
-- of the document, because a decimal that went through a double's shortest 15 digits may have moved across a limit. What
-- is said in a session of which somebody was erased is not kept.
with told as (
    select distinct on (rating_id) batch.*, gone.person as erased
    from batch
    left join subject_keys as gone
      on gone.subject = subject_of('session', session_id::text) and gone.destroyed_at is not null
    order by rating_id, envelope_timestamp, envelope_id),
given as (
    insert into kintell_ratings
        (id, session_id, from_role, rating, feedback_text, created_at, created_event, created_event_at)
    select rating_id, session_id, from_role, (data ->> 'rating')::numeric, case when erased is null then feedback_text end,
        created_at, envelope_id, envelope_timestamp
    from told
    order by rating_id
    on conflict (id) do nothing
    returning id, session_id)
select distinct 'sessions' as touched, session_id::text as key from given
union all
select 'company_days', 'rating ' || id from given
union all
select about.touched, about.key
from told cross join lateral forget_reviews(array[rating_id], erased) as about
where erased is not null;
