-- One creating event per check-in: a second one under another event id changes nothing.
insert into buddy_checkins (id, match_id, checkin_date, mood, notes, question_responses, created_event)
select distinct on (checkin_id) checkin_id, match_id, checkin_date, mood, notes, question_responses, envelope_id
from batch
order by checkin_id, envelope_timestamp, envelope_id
on conflict (id) do nothing
returning 'company_days' as touched, 'checkin ' || id as key;
