-- The request that was answered with what is held of a person, from whichever of their ids.
select jsonb_build_object(
    'requestId', $2::uuid, 'userId', id, 'requestType', 'access',
    'completedAt', to_char($3::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) as data
from users
where id = coalesce((select id from users where id = $1::uuid),
                    (select user_id from user_emails where derived_user_id = $1::uuid));
