-- One creating event per flag: a second one under another event id changes nothing.
insert into safety_flags
    (id, content_id, content_type, flag_reason, confidence, requires_human_review, raised_at, created_event)
select distinct on (flag_id)
    flag_id, content_id, content_type, flag_reason, confidence, requires_human_review, raised_at, envelope_id
from batch
order by flag_id, envelope_timestamp, envelope_id
on conflict (id) do nothing;
