-- A skill share is a session of a learner and a teacher; an online one within a match is a video call of the pair too.
-- What is said between two people of whom one was erased is not kept.
with shares as (
    select distinct on (session_id) batch.*, gone.person as erased
    from batch
    left join lateral (
        select person from subject_keys
        where subject in (subject_of('person', learner_id::text), subject_of('person', teacher_id::text))
          and destroyed_at is not null
        order by person limit 1) as gone on true
    order by session_id, envelope_timestamp, envelope_id),
sessions as (
    insert into kintell_sessions
        (id, session_type, participant_id, volunteer_id, scheduled_at, completed_at, duration_minutes, rating,
         feedback_text, metadata, completed_event)
    select session_id, 'skill_share', learner_id, teacher_id, scheduled_at, completed_at, duration_minutes,
        round((coalesce(feedback_teacher_rating, feedback_learner_rating)
             + coalesce(feedback_learner_rating, feedback_teacher_rating)) / 2, 2),
        case when erased is null then coalesce(feedback_learner_comment, feedback_teacher_comment) end,
        jsonb_strip_nulls(jsonb_build_object(
            'skill_id', skill_id, 'skill_name', skill_name, 'skill_category', skill_category,
            'proficiency_level', proficiency_level, 'sdg_goals', sdg_goals, 'valuation_points', valuation_points)),
        envelope_id
    from shares
    order by session_id
    on conflict (id) do nothing
    returning id, participant_id, volunteer_id),
calls as (
    insert into buddy_events (id, match_id, event_type, event_date, metadata, created_event)
    select derived_id('milepost:video_call:' || session_id), match_id, 'video_call', completed_at,
        jsonb_strip_nulls(jsonb_build_object(
            'event_format', format, 'duration_minutes', duration_minutes, 'sdg_goals', sdg_goals)),
        envelope_id
    from shares join sessions on sessions.id = shares.session_id
    where format = 'online' and match_id is not null
    order by 1
    on conflict (id) do nothing)
select 'people' as touched, person.id::text as key
from sessions cross join lateral (values (participant_id), (volunteer_id)) as person (id)
union all
select 'company_days', 'session ' || id from sessions
union all
select words.touched, words.key
from shares cross join lateral forget_words('{}', array[session_id], erased) as words
where erased is not null;
