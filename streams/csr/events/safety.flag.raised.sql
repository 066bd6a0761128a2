-- One creating event per flag: a second one under another event id changes nothing.
with created as (
    insert into safety_flags
        (id, content_id, content_type, flag_reason, confidence, requires_human_review, raised_at, created_event)
    select distinct on (flag_id)
        flag_id, content_id, content_type, flag_reason, confidence, requires_human_review, raised_at, envelope_id
    from batch
    order by flag_id, envelope_timestamp, envelope_id
    on conflict (id) do nothing
    returning id, content_id),
-- What is said about something that was said with somebody erased is not kept either.
within as (
    select created.id, subject_of('match', said.match_id::text) as subject
    from created join buddy_checkins as said on said.id = created.content_id
    union all
    select created.id, subject_of('match', said.match_id::text)
    from created join buddy_feedback as said on said.id = created.content_id
    union all
    select created.id, subject_of('session', said.session_id::text)
    from created join kintell_ratings as said on said.id = created.content_id
    union all
    select id, subject_of('session', content_id::text) from created)
select distinct on (within.id) 'erased' as touched, subject_of('flag', within.id::text) || ' ' || gone.person as key
from within join subject_keys as gone on gone.subject = within.subject and gone.destroyed_at is not null
where gone.person is not null
order by within.id, gone.person;
