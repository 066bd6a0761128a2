-- Undoes 0058: apply_identity is as 0017 made it. What was merged stays merged.

drop function apply_identity(uuid, timestamptz, text, uuid, text, uuid, text, text, text, boolean, jsonb);
-- Who is meant by an identity event: by CSR id, by external id, by e-mail, or somebody new.
--
-- One call per event. The unique keys of user_external_ids and user_emails serve as locks: of two workers that
-- meet the same unknown person at once, the second waits for the first and then finds the person.
-- Nothing here depends on the order of arrival, unless identifiers contradict each other (first come; listed).
create function apply_identity(
    in_event uuid, in_at timestamptz, in_provider text, in_scope uuid, in_external_id text, in_csr_id uuid,
    in_email text, in_first_name text, in_last_name text, in_active boolean, in_metadata jsonb
) returns table (touched text, counted text, key text)
language plpgsql as $$
declare
    person uuid;
    identity_id uuid;
    is_new_identity boolean;
    by_email uuid;
    by_csr uuid;
    wanted uuid;
    conflict text;
begin
    insert into companies (id) values (in_scope) on conflict do nothing;
    select u.id into by_csr from users u where u.id = in_csr_id;
    select e.user_id into by_email from user_emails e where e.email = in_email;
    if by_email is null then
        select u.id into by_email from users u where u.email = in_email;
    end if;
    wanted := coalesce(by_csr, by_email, in_csr_id, derived_id('milepost:user:' || in_email));

    -- The latest snapshot wins entirely, the earliest is remembered: redelivery and reordering change nothing.
    insert into user_external_ids as known (profile_id, provider, scope, external_id, metadata, csr_id, email,
        first_name, last_name, active, snapshot_at, snapshot_event, first_at, first_event, first_email, updated_at)
    values (wanted, in_provider, in_scope, in_external_id, in_metadata, in_csr_id, in_email,
        in_first_name, in_last_name, in_active, in_at, in_event, in_at, in_event, in_email, in_at)
    on conflict (provider, scope, external_id) do update set
        (metadata, email, first_name, last_name, active, snapshot_at, snapshot_event, updated_at) = (
            select latest.* from (values
                (excluded.metadata, excluded.email, excluded.first_name, excluded.last_name, excluded.active,
                 excluded.snapshot_at, excluded.snapshot_event, excluded.updated_at),
                (known.metadata, known.email, known.first_name, known.last_name, known.active,
                 known.snapshot_at, known.snapshot_event, known.updated_at)
            ) as latest (metadata, email, first_name, last_name, active, snapshot_at, snapshot_event, updated_at)
            order by latest.snapshot_at desc, latest.snapshot_event desc limit 1),
        (first_at, first_event, first_email) = (
            select earliest.* from (values
                (excluded.first_at, excluded.first_event, excluded.first_email),
                (known.first_at, known.first_event, known.first_email)
            ) as earliest (first_at, first_event, first_email)
            order by earliest.first_at, earliest.first_event limit 1),
        csr_id = coalesce(known.csr_id, excluded.csr_id)
    returning known.id, known.profile_id, known.first_event = in_event and known.snapshot_event = in_event
    into identity_id, person, is_new_identity;

    -- While this worker waited for the row, another one may have made the person known by more names: look again.
    if not is_new_identity then
        select u.id into by_csr from users u where u.id = in_csr_id;
        by_email := coalesce((select e.user_id from user_emails e where e.email = in_email),
                             (select u.id from users u where u.email = in_email));
    end if;

    -- Nobody knows this person: by the e-mail's unique key, the second of two workers joins the first.
    if is_new_identity and by_csr is null and by_email is null then
        insert into user_emails (email, user_id) values (in_email, wanted) on conflict (email) do nothing;
        if found then
            insert into users (id, email, id_derived, updated_at) values (wanted, in_email, in_csr_id is null, in_at)
            on conflict (id) do nothing;
            by_csr := case when in_csr_id = wanted then wanted end;
            by_email := wanted;
        else
            select e.user_id into by_email from user_emails e where e.email = in_email;
            -- The first may have made them known by their CSR id too.
            select u.id into by_csr from users u where u.id = in_csr_id;
            update user_external_ids u set profile_id = by_email where u.id = identity_id;
            person := by_email;
        end if;
    end if;

    -- The CSR id becomes known for somebody whose id was derived: the row takes it, references follow.
    if in_csr_id is not null and by_csr is null then
        if (select u.id_derived from users u where u.id = person for update) then
            begin
                update users u set id = in_csr_id, id_derived = false where u.id = person;
                by_email := case when by_email = person then in_csr_id else by_email end;
                person := in_csr_id;
            exception when unique_violation then
                conflict := 'merge_needed';
            end;
        else
            conflict := 'second_csr_id';
        end if;
    elsif by_csr <> person then
        conflict := case when exists (select from users u where u.id in (by_csr, person) and u.id_derived)
                         then 'merge_needed' else 'external_id_moved' end;
    end if;

    -- Every e-mail once seen for a person stays a way to find them.
    if by_email is null then
        counted := case when not is_new_identity then 'identity_email_changes' end;
        insert into user_emails (email, user_id) values (in_email, person) on conflict (email) do nothing;
        if not found then
            select e.user_id into by_email from user_emails e where e.email = in_email;
        elsif counted is not null then
            return next;
        end if;
        counted := null;
    else
        insert into user_emails (email, user_id) values (in_email, by_email) on conflict (email) do nothing;
    end if;
    if by_email <> person then
        conflict := coalesce(conflict, 'email_of_another');
    end if;

    if conflict is not null then
        insert into identity_conflicts (event_id, kind, user_id, detail)
        values (in_event, conflict, person, jsonb_build_object('provider', in_provider, 'scope', in_scope,
            'external_id', in_external_id, 'csr_id', in_csr_id, 'by_csr_id', by_csr, 'by_email', by_email))
        on conflict do nothing;
        counted := 'identity_conflicts';
        return next;
        counted := null;
    end if;

    -- A derived id comes from the e-mail of the creating event, the earliest: one that arrives late moves it.
    if (select u.id_derived from users u where u.id = person) then
        select derived_id('milepost:user:' || u.first_email) into wanted from user_external_ids u
        where u.profile_id = person order by u.first_at, u.first_event limit 1;
        if wanted <> person and not exists (select from users u where u.id = wanted) then
            update users u set id = wanted where u.id = person;
            person := wanted;
        end if;
    end if;

    insert into company_memberships (event_id, user_id, company_id, seen_at)
    values (in_event, person, in_scope, in_at) on conflict (event_id) do nothing;
    insert into external_id_mappings (user_id, external_system, external_id)
    values (person, in_provider, in_scope || ':' || in_external_id)
    on conflict (external_system, external_id) do nothing;

    touched := 'people';
    key := person;
    return next;
end
$$;

comment on function apply_identity is 'Resolves an identity event to a person and keeps its snapshot; returns what was touched and counted';

drop function merge_people(regclass, uuid, uuid);
drop index identity_conflicts_user_id_idx;
drop table identity_merge_losses;
drop table identity_merges;
alter table user_emails drop column derived_user_id;

create or replace function company_at(person uuid, moment timestamptz) returns setof uuid
    language sql stable parallel safe as $$
        select of_person.id
        from (select coalesce(
            (select company_id from company_memberships where user_id = person and seen_at <= moment
             order by seen_at desc, event_id desc limit 1),
            (select company_id from company_memberships where user_id = person
             order by seen_at, event_id limit 1))) as of_person (id)
        where of_person.id <> '00000000-0000-0000-0000-000000000000'
    $$;

comment on column company_memberships.company_id is null;
insert into companies (id) select '00000000-0000-0000-0000-000000000000'
where exists (select from company_memberships where company_id is null) on conflict do nothing;
update company_memberships set company_id = '00000000-0000-0000-0000-000000000000' where company_id is null;
alter table company_memberships alter column company_id set not null;
