-- What privacy.person.erased says of a person, from whichever of their ids; no row when nobody has this id. Hashes and ids
-- only: the event stays when all else is gone.
with recursive merged as (
    select $1::uuid as id
    union
    select identity_merges.stays from merged join identity_merges on identity_merges.gone = merged.id),
person as materialized (
    select id, id_derived from users
    where id = coalesce(
        (select id from users where id = $1::uuid),
        (select user_id from user_emails where derived_user_id = $1::uuid),
        (select users.id from merged join users on users.id = merged.id order by users.id limit 1))),
gone as (
    select identity_merges.gone as id from person join identity_merges on identity_merges.stays = person.id
    union
    select identity_merges.gone from gone join identity_merges on identity_merges.stays = gone.id),
subjects as (
    select identity_subject(provider, scope, external_id) as subject
    from person join user_external_ids on profile_id = person.id
    union
    select subject_of('email', email) from person join user_emails on user_id = person.id
    where email not like '%@erased.invalid'),
aliases as (
    select derived_user_id as alias from person join user_emails on user_id = person.id
    union
    select id from gone
    union
    select $1::uuid from person where person.id <> $1::uuid
    union
    select person.id from person where id_derived)
select jsonb_build_object(
    'erasureId', $2::uuid,
    'requestId', $2::uuid,
    'erasedAt', to_char($3::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'userId', person.id,
    'identities', (select coalesce(jsonb_agg(subject order by subject), '[]') from subjects),
    'aliases', (select coalesce(jsonb_agg(alias order by alias), '[]') from aliases)) as data
from person;
