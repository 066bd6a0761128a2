-- What is told of somebody who was erased, whenever it comes, makes nothing but their membership of a company: by an id
-- alone, so that what they did counts for the company that they belonged to.

-- A snapshot may tie the erased to rows that nobody knew to be theirs; these are theirs from now on, as if they had been
-- tied before. In a rebuild, a document whose key was destroyed has no e-mail and no names; nothing here looks at names,
-- and at the e-mail only to find such a row.
create function apply_to_erased(
    in_person uuid, in_event uuid, in_at timestamptz, in_provider text, in_scope uuid, in_external_id text,
    in_csr_id uuid, in_email text
) returns table (touched text, counted text, key text)
language plpgsql as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    later_than_all constant timestamptz := '2300-01-01 00:00:00+00'; -- until the erasure itself says when
    is_derived boolean;
    others uuid[];
    other_ids uuid[];
begin
    perform join_erased(in_event, in_person, '{}', later_than_all);
    select u.id_derived into is_derived from users u where u.id = in_person;

    -- The e-mail of the erased, told of somebody with another CSR id: that is nobody erased, and nobody to be made known
    -- by this e-mail.
    if in_csr_id <> in_person and not is_derived
        and erased_person(array[identity_subject(in_provider, in_scope, in_external_id),
                                subject_of('person', in_csr_id::text)]) is null then
        insert into identity_conflicts (event_id, kind, user_id, detail)
        values (in_event, 'email_of_erased', in_csr_id, jsonb_build_object('provider', in_provider, 'scope', in_scope,
            'external_id', in_external_id, 'csr_id', in_csr_id))
        on conflict do nothing;
        counted := 'identity_conflicts';
        return next;
        return;
    end if;

    others := array(
        select u.id from users u
        where u.id <> in_person and u.email not like '%@erased.invalid' and (u.id = in_csr_id or u.id_derived or is_derived)
          and u.id = any (array[
              in_csr_id,
              (select x.profile_id from user_external_ids x where x.provider = in_provider and x.scope = in_scope
               and x.external_id = in_external_id),
              (select e.user_id from user_emails e where e.email = in_email)])
        order by u.id for update);
    other_ids := array(select u.id from users u where u.id = any (others) and not u.id_derived);
    return query select joined.touched, null, joined.key from join_erased(in_event, in_person, others, in_at) as joined;
    insert into company_memberships (event_id, user_id, company_id, seen_at)
    values (in_event, in_person, nullif(in_scope, nobody), in_at) on conflict (event_id) do nothing;
    return query
    select gone.touched, null, gone.key
    from forget_person(in_person,
        array[identity_subject(in_provider, in_scope, in_external_id)]
            || case when in_email not like '%@erased.invalid' then subject_of('email', in_email) end,
        other_ids || case when in_csr_id is not null then array[in_csr_id] end, is_derived, later_than_all) as gone
    where gone.touched in ('erased', 'people') or cardinality(others) > 0;
end
$$;

comment on function apply_to_erased is 'What a snapshot of somebody who was erased says all the same; returns what was touched and counted';

-- Who is meant by an identity event: by CSR id, by external id, by e-mail, or somebody new.
--
-- One call per event. The unique keys of users, user_external_ids and user_emails serve as locks: of two workers that
-- meet the same unknown person at once, the second waits for the first, looks again and finds the person. Names are only
-- ever tied together, never parted, so what was read and has changed since is either still right or names somebody who is
-- gone: then a foreign key, checked at the commit at the latest, makes the batch try again.
-- Nothing here depends on the order of arrival, unless identifiers contradict each other (first come; listed).
-- Somebody who was erased is not brought back by any of their names.
create or replace function apply_identity(
    in_event uuid, in_at timestamptz, in_provider text, in_scope uuid, in_external_id text, in_csr_id uuid,
    in_email text, in_first_name text, in_last_name text, in_active boolean, in_metadata jsonb
) returns table (touched text, counted text, key text)
language plpgsql as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    identities constant bigint := hashtextextended('identities', 0);
    names constant uuid[] := array[
        identity_subject(in_provider, in_scope, in_external_id), subject_of('person', in_csr_id::text),
        subject_of('email', in_email), subject_of('person', derived_id('milepost:user:' || in_email)::text)];
    person uuid;
    identity_id uuid;
    is_new_identity boolean;
    is_new_email boolean := false;
    new_csr_id uuid;
    by_csr uuid;
    by_email uuid;
    meant uuid[];
    csr_ids uuid[];
    there uuid[];
    wanted uuid;
    other uuid;
    conflict text;
    is_settled boolean := false;
    is_merged boolean := false;
begin
    insert into companies (id) select in_scope where in_scope <> nobody on conflict do nothing;
    -- What is told of the erased ties names to them that nobody knew to be theirs: meanwhile nobody is made by such a name.
    perform pg_advisory_xact_lock_shared(identities);
    if erased_person(names) is not null then
        perform pg_advisory_xact_lock(identities);
    end if;
    person := erased_person(names); -- as it is known now
    if person is not null then
        return query
        select told.touched, told.counted, told.key
        from apply_to_erased(person, in_event, in_at, in_provider, in_scope, in_external_id, in_csr_id, in_email) as told;
        return;
    end if;
    for attempt in 1..100 loop
        person := (select u.profile_id from user_external_ids u where u.provider = in_provider and u.scope = in_scope
                   and u.external_id = in_external_id);
        -- An id that follows from an e-mail is no CSR id, whoever names it: it means whoever has, or had, that e-mail.
        new_csr_id := case when not exists (select from user_emails e where e.derived_user_id = in_csr_id) then in_csr_id end;
        by_csr := coalesce((select u.id from users u where u.id = in_csr_id),
                           (select e.user_id from user_emails e where e.derived_user_id = in_csr_id));
        by_email := coalesce((select e.user_id from user_emails e where e.email = in_email),
                             (select u.id from users u where u.email = in_email),
                             (select u.id from users u where u.id = derived_id('milepost:user:' || in_email)));

        -- Somebody new: whoever else makes them known at this moment is waited for, and found by looking again.
        if person is null and by_csr is null and by_email is null then
            wanted := coalesce(new_csr_id, derived_id('milepost:user:' || in_email));
            insert into users (id, email, id_derived, updated_at) values (wanted, in_email, new_csr_id is null, in_at)
            on conflict do nothing;
            continue when not found;
            by_csr := case when new_csr_id is not null then wanted end;
        end if;

        -- The latest snapshot wins entirely, the earliest is remembered: redelivery and reordering change nothing.
        wanted := coalesce(person, by_csr, by_email, wanted);
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
        continue when person <> wanted; -- another worker has made it known meanwhile

        -- Every e-mail once seen for a person stays a way to find them.
        insert into user_emails (email, user_id) values (in_email, coalesce(by_email, person))
        on conflict (email) do nothing;
        is_new_email := is_new_email or (found and by_email is null);
        continue when not found and by_email is null;
        by_email := coalesce(by_email, person);
        -- It was named before anybody knew from which e-mail it follows.
        update users u set id_derived = true
        where u.id = derived_id('milepost:user:' || in_email) and not u.id_derived;

        -- Several CSR ids for one person contradict each other: the event applies to the first.
        meant := array(select distinct one from unnest(array[person, by_email, by_csr]) as one where one is not null);
        csr_ids := array(select u.id from users u where u.id = any (meant) and not u.id_derived);
        if new_csr_id is not null and not new_csr_id = any (csr_ids) then
            csr_ids := csr_ids || new_csr_id;
        end if;
        if cardinality(csr_ids) > 1 then
            conflict := case when by_csr is null and person = any (csr_ids) then 'second_csr_id'
                             when by_csr <> person and person = any (csr_ids) then 'external_id_moved'
                             else 'email_of_another' end;
            is_settled := true;
            exit;
        end if;

        -- Several rows for one person become one: that with the CSR id, else that with the earliest creating event.
        if cardinality(meant) > 1 then
            there := array(select u.id from users u where u.id = any (meant) order by u.id for update);
            continue when cardinality(there) < cardinality(meant);
            select u.id into wanted
            from users u
            left join lateral (
                select x.first_at, x.first_event from user_external_ids x where x.profile_id = u.id
                order by x.first_at, x.first_event limit 1) as created on true
            where u.id = any (there)
            order by u.id_derived, created.first_at nulls last, created.first_event, u.id limit 1;
            for other in select one from unnest(there) as one where one <> wanted order by one loop
                touched := 'company_days';
                for key in select merge_people(to_regclass('users'), other, wanted) loop
                    return next;
                end loop;
                insert into identity_merges (gone, stays, event_id) values (other, wanted, in_event)
                on conflict do nothing;
                touched := null;
                key := null;
                counted := 'identity_merges';
                return next;
                counted := null;
            end loop;
            is_merged := true;
            continue; -- the ids are others now
        end if;

        -- The CSR id becomes known for somebody whose id was derived: the row takes it, references follow.
        if new_csr_id is not null and by_csr is null then
            begin
                update users u set id = new_csr_id, id_derived = false where u.id = person and u.id_derived;
            exception when unique_violation then
                null; -- another worker has made it known meanwhile: they are found by looking again
            end;
            continue;
        end if;
        is_settled := true;
        exit;
    end loop;
    -- Whoever goes round so often is in somebody's way, and tries the batch again.
    if not is_settled then
        raise serialization_failure using message = 'identity events of one person are in each other''s way';
    end if;

    if is_new_email and not is_new_identity then
        counted := 'identity_email_changes';
        return next;
        counted := null;
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
            -- Whoever went under this id comes back under it before the days of companies have heard that they went.
            touched := 'company_days';
            for key in update company_day_parts p set entity_id = gen_random_uuid()
                       where p.about = wanted and p.entity_id = wanted and p.measure = 'enrolled'
                       returning 'gone ' || p.entity_id loop
                return next;
            end loop;
            touched := null;
            key := null;
            begin
                update users u set id = wanted where u.id = person;
            exception when unique_violation then
                raise serialization_failure using message = 'another worker has made this person known meanwhile';
            end;
            person := wanted;
        end if;
    end if;

    insert into company_memberships (event_id, user_id, company_id, seen_at)
    values (in_event, person, nullif(in_scope, nobody), in_at) on conflict (event_id) do nothing;
    -- That table has no scope.
    insert into external_id_mappings (user_id, external_system, external_id)
    values (person, in_provider, case when in_scope = nobody then '' else in_scope || ':' end || in_external_id)
    on conflict (external_system, external_id) do nothing;

    if is_merged then
        touched := 'company_days';
        key := 'merged ' || in_event;
        return next;
        touched := 'merged'; -- all that is derived for the person
        key := person;
        return next;
    end if;
    touched := 'people';
    key := person;
    return next;
end
$$;

comment on function apply_identity is 'Resolves an identity event to a person, merges those who turn out to be one, and keeps the snapshot; returns what was touched and counted';
