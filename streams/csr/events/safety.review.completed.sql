-- One creating event per review: a second one under another event id changes nothing. What the flag shows follows from
-- all of its reviews. What is said of something that somebody erased has said is not kept.
insert into safety_reviews
    (id, flag_id, reviewer_ref, decision, notes, completed_at, created_event, created_event_at)
select distinct on (review_id)
    review_id, flag_id, reviewer_id, decision, case when gone.subject is null then notes end, completed_at,
    envelope_id, envelope_timestamp
from batch
left join subject_keys as gone on gone.subject = subject_of('flag', flag_id::text) and gone.destroyed_at is not null
order by review_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'safety_flags' as touched, 'flag ' || flag_id as key;
