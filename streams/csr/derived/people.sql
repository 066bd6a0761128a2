-- A person's row from their identities and from what they did. Written only where something differs.
-- An imported role stands; otherwise whoever helps is a volunteer, whoever is helped a participant.
update users
set role = computed.role, role_imported = computed.role_imported, email = computed.email,
    first_name = computed.first_name, last_name = computed.last_name, updated_at = computed.updated_at
from (
    select person.id,
        imported.role is not null as role_imported,
        case
            when imported.role is not null then imported.role
            when exists (select from buddy_matches where buddy_id = person.id)
              or exists (select from kintell_sessions where volunteer_id = person.id) then 'volunteer'
            when exists (select from buddy_matches where participant_id = person.id)
              or exists (select from kintell_sessions where participant_id = person.id) then 'participant'
            else 'company_user'
        end as role,
        coalesce(usable.email, person.email) as email,
        case when latest.snapshot_at is null then person.first_name else latest.first_name end as first_name,
        case when latest.snapshot_at is null then person.last_name else latest.last_name end as last_name,
        coalesce(latest.snapshot_at, person.updated_at) as updated_at
    from touched
    join users as person on person.id = touched.key::uuid
    left join lateral (
        select first_name, last_name, snapshot_at from user_external_ids
        where profile_id = person.id order by snapshot_at desc, snapshot_event desc limit 1) as latest on true
    left join lateral (
        -- The latest snapshot that says so: an import is one, under a name of its own that no directory uses.
        select metadata #>> '{customFields,importedRole}' as role from user_external_ids
        where profile_id = person.id
          and metadata #>> '{customFields,importedRole}' in ('admin', 'company_user', 'participant', 'volunteer')
        order by snapshot_at desc, snapshot_event desc limit 1) as imported on true
    left join lateral (
        -- An e-mail that belongs to somebody else is none of theirs.
        select identity.email from user_external_ids as identity
        join user_emails on user_emails.email = identity.email and user_emails.user_id = identity.profile_id
        where identity.profile_id = person.id
        order by identity.snapshot_at desc, identity.snapshot_event desc limit 1) as usable on true
) as computed
where users.id = computed.id
  and (users.role, users.role_imported, users.email, users.first_name, users.last_name, users.updated_at)
      is distinct from (computed.role, computed.role_imported, computed.email, computed.first_name, computed.last_name,
                        computed.updated_at);

-- Membership of companies: since the first snapshot, until the latest one says that they have left.
insert into company_users as known (company_id, user_id, joined_at, left_at)
select scope, profile_id, min(first_at),
    (array_agg(case when not active then snapshot_at end order by snapshot_at desc, snapshot_event desc))[1]
from user_external_ids
where profile_id in (select key::uuid from touched) and scope <> '00000000-0000-0000-0000-000000000000'
group by scope, profile_id
order by scope, profile_id
on conflict (company_id, user_id) do update set joined_at = excluded.joined_at, left_at = excluded.left_at
where (known.joined_at, known.left_at) is distinct from (excluded.joined_at, excluded.left_at);
