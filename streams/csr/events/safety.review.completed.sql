-- One creating event per review: a second one under another event id changes nothing. What the flag shows follows from
-- all of its reviews.
insert into safety_reviews
    (id, flag_id, reviewer_ref, decision, notes, completed_at, created_event, created_event_at)
select distinct on (review_id)
    review_id, flag_id, reviewer_id, decision, notes, completed_at, envelope_id, envelope_timestamp
from batch
order by review_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'safety_flags' as touched, 'flag ' || flag_id as key;
