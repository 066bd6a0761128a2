-- One creating event per feedback: a second one under another event id changes nothing.
insert into buddy_feedback (id, match_id, from_role, rating, feedback_text, categories, submitted_at, created_event)
select distinct on (feedback_id)
    feedback_id, match_id, from_role, rating, feedback_text, categories, submitted_at, envelope_id
from batch
order by feedback_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'company_days' as touched, 'feedback ' || id as key;
