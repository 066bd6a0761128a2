-- A session has one completion, the first that comes: a second one under another event id changes nothing. It wins over
-- what was scheduled, which only fills gaps. First the sessions that nobody scheduled; a row that is there already
-- (do nothing) is the next statement's, which sees it also when another worker has only just made it.
with programs_known as (
    insert into programs (id, program_key, updated_at)
    select distinct program_id, program_id::text, 'epoch'::timestamptz from batch where program_id is not null
    order by 1 on conflict do nothing),
campaigns_known as (
    insert into program_campaigns (id, campaign_key, updated_at)
    select distinct campaign_id, campaign_id::text, 'epoch'::timestamptz from batch where campaign_id is not null
    order by 1 on conflict do nothing),
created as (
    insert into kintell_sessions
        (id, external_session_id, session_type, participant_id, volunteer_id, scheduled_at, completed_at,
         duration_minutes, language_level, topics, program_id, campaign_id, completed_event,
         completed_external_session_id)
    select distinct on (session_id)
        session_id, external_session_id, session_type, participant_id, volunteer_id, scheduled_at, completed_at,
        duration_minutes, case when upper(language_level) in ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')
                               then upper(language_level) end,
        topics, program_id, campaign_id, envelope_id, external_session_id
    from batch
    order by session_id, envelope_timestamp, envelope_id
    on conflict (id) do nothing
    returning id, participant_id, volunteer_id)
select distinct derived.touched, person.id::text as key
from created
cross join lateral (values (participant_id), (volunteer_id)) as person (id)
cross join (values ('people'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'session ' || id from created;

-- Then those that were scheduled: locked in the order of the keys before the update, which itself has no order. The
-- guard is for a second completion; a skill share of that id is none of these. Whom the schedule had named is touched
-- as well: the completion may name somebody else.
with told as (
    select distinct on (session_id) * from batch order by session_id, envelope_timestamp, envelope_id),
locked as (
    select id, participant_id, volunteer_id from kintell_sessions
    where id in (select session_id from told) and completed_event is null and session_type <> 'skill_share'
    order by id for no key update),
completed as (
    update kintell_sessions as sessions
    set external_session_id = coalesce(told.external_session_id, sessions.external_session_id),
        session_type = told.session_type, participant_id = told.participant_id, volunteer_id = told.volunteer_id,
        scheduled_at = told.scheduled_at, completed_at = told.completed_at, duration_minutes = told.duration_minutes,
        language_level = case when upper(told.language_level) in ('A1', 'A2', 'B1', 'B2', 'C1', 'C2')
                              then upper(told.language_level) end,
        topics = told.topics, program_id = told.program_id, campaign_id = told.campaign_id,
        completed_event = told.envelope_id, completed_external_session_id = told.external_session_id
    from told join locked on locked.id = told.session_id
    where sessions.id = told.session_id
    returning sessions.id, sessions.participant_id, sessions.volunteer_id,
        locked.participant_id as participant_before, locked.volunteer_id as volunteer_before)
select distinct derived.touched, person.id::text as key
from completed
cross join lateral (values (participant_id), (volunteer_id), (participant_before), (volunteer_before)) as person (id)
cross join (values ('people'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'session ' || id from completed;

-- Whom it names is remembered: what was said of people whom a later telling does not name is taken back.
insert into kintell_session_people (session_id, user_id)
select distinct b.session_id, person.id
from batch as b
join kintell_sessions as sessions on sessions.id = b.session_id and sessions.session_type <> 'skill_share'
cross join lateral (values (b.participant_id), (b.volunteer_id)) as person (id)
order by 1, 2
on conflict do nothing;

-- What was said in it, and will be, is not kept when somebody whom any telling named was erased.
select words.touched, words.key
from (select distinct session_id, participant_id, volunteer_id from batch) as b
cross join lateral erased_person(array[
    subject_of('person', b.participant_id::text), subject_of('person', b.volunteer_id::text)]) as erased (person)
cross join lateral forget_words('{}', array[b.session_id], erased.person) as words
where erased.person is not null;
