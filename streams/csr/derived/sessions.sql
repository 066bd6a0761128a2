-- What both sides say of a language or mentorship session: the mean of the ratings, and the participant's latest words,
-- else the volunteer's. A skill share has its own from the one event that tells it.
update kintell_sessions as sessions
set rating = told.rating, feedback_text = told.feedback_text
from (
    select session_id, round(avg(rating), 2) as rating,
        (array_agg(feedback_text order by from_role = 'participant' desc, created_event_at desc, created_event desc)
            filter (where feedback_text is not null))[1] as feedback_text
    from kintell_ratings
    where session_id in (select key::uuid from touched)
    group by session_id) as told
where sessions.id = told.session_id and sessions.session_type <> 'skill_share'
  and (sessions.rating, sessions.feedback_text) is distinct from (told.rating, told.feedback_text);
