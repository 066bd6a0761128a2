-- One creating event per feedback: a second one under another event id changes nothing. What is said in a match of which
-- somebody was erased is not kept.
with told as (
    select distinct on (feedback_id) batch.*, gone.person as erased
    from batch
    left join subject_keys as gone
      on gone.subject = subject_of('match', match_id::text) and gone.destroyed_at is not null
    order by feedback_id, envelope_timestamp, envelope_id),
created as (
    insert into buddy_feedback (id, match_id, from_role, rating, feedback_text, categories, submitted_at, created_event)
    select feedback_id, match_id, from_role, rating, case when erased is null then feedback_text end, categories,
        submitted_at, envelope_id
    from told
    order by feedback_id
    on conflict (id) do nothing
    returning id)
select 'company_days' as touched, 'feedback ' || id as key from created
union all
select about.touched, about.key
from told cross join lateral forget_reviews(array[feedback_id], erased) as about
where erased is not null;
