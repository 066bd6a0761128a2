-- A session may be scheduled anew: the latest by (timestamp, event id) wins. First the sessions that are not known yet;
-- a row that is there already (do nothing) is the next statement's, which sees it also when another worker has only
-- just made it.
with created as (
    insert into kintell_sessions
        (id, external_session_id, session_type, participant_id, volunteer_id, scheduled_at,
         scheduled_event, scheduled_event_at)
    select distinct on (session_id)
        session_id, external_session_id, session_type, participant_id, volunteer_id, scheduled_at,
        envelope_id, envelope_timestamp
    from batch
    order by session_id, envelope_timestamp desc, envelope_id desc
    on conflict (id) do nothing
    returning id, participant_id, volunteer_id)
select distinct derived.touched, person.id::text as key
from created
cross join lateral (values (participant_id), (volunteer_id)) as person (id)
cross join (values ('people'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'session ' || id from created;

-- Then those that are known: locked in the order of the keys before the update, which itself has no order. The guard is
-- for an older schedule that comes late; a skill share of that id is none of these. A completed session keeps what its
-- completion said, and takes only an external id that it did not have. Whom the row had named before is touched as well.
with told as (
    select distinct on (session_id) * from batch order by session_id, envelope_timestamp desc, envelope_id desc),
locked as (
    select sessions.id, sessions.participant_id, sessions.volunteer_id
    from kintell_sessions as sessions join told on told.session_id = sessions.id
    where sessions.session_type <> 'skill_share'
      and (sessions.scheduled_event is null
           or (told.envelope_timestamp, told.envelope_id) > (sessions.scheduled_event_at, sessions.scheduled_event))
    order by sessions.id for no key update of sessions),
scheduled as (
    update kintell_sessions as sessions
    set external_session_id = coalesce(sessions.completed_external_session_id, told.external_session_id),
        session_type = case when sessions.completed_event is null then told.session_type else sessions.session_type end,
        participant_id =
            case when sessions.completed_event is null then told.participant_id else sessions.participant_id end,
        volunteer_id = case when sessions.completed_event is null then told.volunteer_id else sessions.volunteer_id end,
        scheduled_at = case when sessions.completed_event is null then told.scheduled_at else sessions.scheduled_at end,
        scheduled_event = told.envelope_id, scheduled_event_at = told.envelope_timestamp
    from told join locked on locked.id = told.session_id
    where sessions.id = told.session_id
    returning sessions.id, sessions.participant_id, sessions.volunteer_id,
        locked.participant_id as participant_before, locked.volunteer_id as volunteer_before)
select distinct derived.touched, person.id::text as key
from scheduled
cross join lateral (values (participant_id), (volunteer_id), (participant_before), (volunteer_before)) as person (id)
cross join (values ('people'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'session ' || id from scheduled;

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
