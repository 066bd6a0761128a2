-- One creating event per rating: a second one under another event id changes nothing. The rating is read from the text
-- of the document, because a decimal that went through a double's shortest 15 digits may have moved across a limit.
with given as (
    insert into kintell_ratings
        (id, session_id, from_role, rating, feedback_text, created_at, created_event, created_event_at)
    select distinct on (rating_id)
        rating_id, session_id, from_role, (data ->> 'rating')::numeric, feedback_text, created_at,
        envelope_id, envelope_timestamp
    from batch
    order by rating_id, envelope_timestamp, envelope_id
    on conflict (id) do nothing
    returning id, session_id)
select distinct 'sessions' as touched, session_id::text as key from given
union all
select 'company_days', 'rating ' || id from given;
