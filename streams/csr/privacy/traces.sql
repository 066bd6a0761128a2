-- By what a person is found in documents that nobody could read: every id and e-mail of theirs, what outside systems call
-- them, and their names where first and last name stand together.
with person as materialized (
    select id, first_name, last_name from users
    where id = coalesce((select id from users where id = $1::uuid),
                        (select user_id from user_emails where derived_user_id = $1::uuid))),
known as materialized (
    select known.external_id, known.first_name, known.last_name
    from person join user_external_ids as known on known.profile_id = person.id),
names as (
    select first_name, last_name from person
    union
    select first_name, last_name from known)
select id::text as trace from person
union
select derived_user_id::text from person join user_emails on user_id = person.id
union
select user_emails.email from person join user_emails on user_id = person.id where user_emails.email not like '%@erased.invalid'
union
-- Most of what was said names only where.
select pair.id::text from person join buddy_matches as pair on person.id in (pair.participant_id, pair.buddy_id)
union
select session.id::text from person join kintell_sessions as session on person.id in (session.participant_id, session.volunteer_id)
union
select told.session_id::text from person join kintell_session_people as told on told.user_id = person.id
union
-- A short number is found everywhere.
select external_id from known where length(external_id) >= 6
union
select trace from names
cross join lateral (values (first_name || ' ' || last_name),
                           ('"' || first_name || '","lastName":"' || last_name || '"')) as written (trace)
where length(first_name || last_name) >= 6;
