-- Two rows of users that turn out to be one person become one: the row with the CSR id stays, else the one whose creating
-- event is the earlier. Whatever refers to the one who goes refers to the one who stays from then on.

-- The ids that go away are derived ones, and a derived id follows from an e-mail. So a person is found by the derived id
-- of every e-mail that was ever theirs, just as by the e-mail: in whatever order things become known, and for ever.
alter table user_emails
    add column derived_user_id uuid not null generated always as (
        -- Ids that mean a person who was erased are found as before, without the e-mails that they follow from.
        case when email ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}@erased\.invalid$'
             then substr(email, 1, 36)::uuid else derived_id('milepost:user:' || email) end) stored;

create unique index user_emails_derived_user_id_key on user_emails (derived_user_id);

comment on column user_emails.derived_user_id is 'The id that the person has, had or might have had by this e-mail: events that name it mean them';

create table identity_merges (
    gone       uuid        not null,
    stays      uuid        not null,
    event_id   uuid        not null,
    created_at timestamptz not null default now(),
    primary key (gone, stays, event_id)
);

comment on table identity_merges is 'Rows of users that were merged into another. Says what happened: in another order there may have been nothing to merge';
comment on column identity_merges.gone is 'Id of the row that is no more';
comment on column identity_merges.stays is 'Id of the row that took its place, as it was then';
comment on column identity_merges.event_id is 'The event by which it became known';

-- Other services may keep tables in the same database. Where such a table has room for one row of a person and both have
-- one, theirs cannot stay, as nobody has its id any more; it follows from no event, so nobody could make it anew; and an
-- error would stop the stream until somebody deletes it by hand, one of the two, not knowing better. So it is taken out
-- and kept here.
create table identity_merge_losses (
    id         bigint      generated always as identity primary key,
    gone       uuid        not null,
    stays      uuid        not null,
    relation   text        not null,
    content    jsonb       not null,
    created_at timestamptz not null default now()
);

comment on table identity_merge_losses is 'Rows of tables that are not Milepost''s, taken out because the person has a row there already. Put back by hand what matters, then delete';
comment on column identity_merge_losses.gone is 'Id of the row of users that is no more';
comment on column identity_merge_losses.stays is 'Id of the row that took its place, as it was then';
comment on column identity_merge_losses.relation is 'Schema and table from which the row was taken';
comment on column identity_merge_losses.content is 'PII. The row, as it was';

create index identity_conflicts_user_id_idx on identity_conflicts (user_id);

-- Both rows are locked. Foreign keys are found in the catalog, so that rows of every table follow the person. Where a row
-- is in the way of another one, it goes: from the tables that are listed here, whose rows follow from events; from any
-- other (also one of Milepost's that nobody has listed yet) it is kept in identity_merge_losses.
-- With the owner's rights, because the service may delete almost nothing; `people` names the table, which may be that of a
-- rebuild. Returns keys of company_days to look at again.
create function merge_people(people regclass, gone uuid, stays uuid) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    own constant text[] := array[
        'buddy_events', 'buddy_matches', 'company_day_parts', 'company_memberships', 'company_people',
        'company_users', 'consents', 'dsar_requests', 'enrollment_report_people', 'enrollment_reports',
        'evidence_ledger', 'external_id_mappings', 'journey_facts', 'journey_facts_merged', 'journey_facts_staged',
        'journey_flags', 'journey_milestones', 'journey_timers', 'kintell_session_people', 'kintell_sessions',
        'learning_progress', 'learning_reports', 'outbox', 'outcome_scores', 'outcome_scores_quarterly',
        'placement_people', 'placements', 'program_enrollments', 'safety_flags', 'user_emails', 'user_external_ids',
        'volunteering', 'volunteering_people'];
    home text;
    reference record;
    clash record;
    clashing text;
begin
    -- Whoever may call this names a table: nothing else than one that the owner of this function made for people.
    select nspname into home
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where pg_class.oid = people and relname = 'users' and relkind = 'r'
      and nspname in ('public', 'milepost_next', 'milepost_previous') and pg_get_userbyid(relowner) = current_user;
    if home is null then
        raise insufficient_privilege using message = format('%s is no table of people', people);
    end if;

    -- Facts can only be merged by whoever can read them; flags, timers and what rules made follow from them.
    execute format('insert into %1$I.journey_facts_merged (user_id, epoch, facts, pending)
                    select $2, epoch, facts, pending from %1$I.journey_facts where user_id = $1', home) using gone, stays;
    if to_regclass(format('%I.journey_facts_staged', home)) is not null then
        execute format('with staged as (delete from %1$I.journey_facts_staged where user_id = $1 returning facts)
                        insert into %1$I.journey_facts_merged (user_id, staged) select $2, facts from staged', home)
        using gone, stays;
    end if;
    execute format('delete from %I.journey_facts where user_id = $1', home) using gone;
    execute format('delete from %I.journey_timers where user_id = $1', home) using gone;
    execute format('delete from %I.journey_flags where user_id = $1', home) using gone;
    execute format('delete from %I.journey_milestones where user_id = $1 and event_id is null', home) using gone;

    -- Of a milestone that both have by an event, the earliest telling counts.
    return query execute format(
        'with both_have as (
             select case when (one.reached_at, one.event_at, one.event_id) < (two.reached_at, two.event_at, two.event_id)
                         then two.id else one.id end as later
             from %1$I.journey_milestones as one join %1$I.journey_milestones as two using (milestone)
             where one.user_id = $1 and two.user_id = $2)
         delete from %1$I.journey_milestones using both_have where id = later returning ''milestone '' || id', home)
    using gone, stays;

    -- What the days of companies counted for the one who goes is taken away there, by the id that it was counted under.
    return query execute format(
        'update %I.company_day_parts set entity_id = person_id, person_id = null where person_id = $1
         returning ''gone '' || $1', home)
    using gone;

    -- An imported role stands.
    execute format('update %1$s as one set role = other.role, role_imported = true from %1$s as other
                    where one.id = $2 and other.id = $1 and other.role_imported and not one.role_imported', people)
    using gone, stays;

    for reference in
        select conrelid::regclass as "table", conrelid, attname as "column", attnum,
            nspname = home and relname = any (own) as is_own, format('%s.%s', nspname, relname) as name
        from pg_constraint
        join pg_attribute on attrelid = conrelid and attnum = conkey[1]
        join pg_class on pg_class.oid = conrelid
        join pg_namespace on pg_namespace.oid = relnamespace
        where contype = 'f' and confrelid = people and conparentid = 0
        order by conrelid::regclass::text, attname
    loop
        -- A row of which the one who stays has the like: it says nothing more, or is derived anew.
        for clash in
            select pg_get_expr(indpred, indrelid) as predicate,
                (select coalesce(string_agg(format(
                            case when indnullsnotdistinct then ' and kept.%1$I is not distinct from old.%1$I'
                                 else ' and kept.%1$I = old.%1$I' end, attname), ''), '')
                 from unnest(indkey::int2[]) with ordinality as part (number, place)
                 join pg_attribute on attrelid = indrelid and pg_attribute.attnum = part.number
                 where place <= indnkeyatts and part.number <> reference.attnum) as others
            from pg_index
            where indrelid = reference.conrelid and indisunique and indexprs is null
              and reference.attnum = any ((indkey::int2[])[0:indnkeyatts - 1])
        loop
            clashing := format(
                'delete from %1$s as old where old.%2$I = $1 and (%3$s)
                   and exists (select from %1$s as kept where kept.%2$I = $2 and (%3$s) %4$s)',
                reference."table", reference."column", coalesce(clash.predicate, 'true'), clash.others);
            -- A rebuild, which has tables of ours only, writes nothing else.
            if reference.is_own then
                execute clashing using gone, stays;
            else
                execute 'with taken as (' || clashing || ' returning to_jsonb(old) as content)
                         insert into public.identity_merge_losses (gone, stays, relation, content)
                         select $1, $2, $3, content from taken'
                using gone, stays, reference.name;
            end if;
        end loop;
        execute format('update %1$s set %2$I = $2 where %2$I = $1', reference."table", reference."column")
        using gone, stays;
    end loop;

    -- The list of conflicts names people without a foreign key.
    execute format('update %I.identity_conflicts set user_id = $2 where user_id = $1', home) using gone, stays;
    execute format('delete from %s where id = $1', people) using gone;
end
$$;

comment on function merge_people is 'Makes one row of users take the place of another, in every table; returns keys of company_days that are to be derived';

-- Whoever may call it is granted that by roles.sql.
revoke execute on function merge_people from public;

-- Its rows of identities without a company were prefixed with the nil UUID.
update external_id_mappings set external_id = substr(external_id, 38)
where external_id like '00000000-0000-0000-0000-000000000000:%';

-- Somebody whom no company tells of belongs to none. That says nothing against a company that told of them before.
alter table company_memberships alter column company_id drop not null;
update company_memberships set company_id = null where company_id = '00000000-0000-0000-0000-000000000000';

-- Nor does that make a company. (Other events name it, too: then something refers to its row, which stays.)
delete from company_users where company_id = '00000000-0000-0000-0000-000000000000';
do $$
begin
    delete from companies where id = '00000000-0000-0000-0000-000000000000' and name = '';
exception when foreign_key_violation then
    null;
end
$$;

comment on column company_memberships.company_id is 'Null where the snapshot names no company: then it changes nothing about where they belong';

create or replace function company_at(person uuid, moment timestamptz) returns setof uuid
    language sql stable parallel safe as $$
        select of_person.id
        from (select coalesce(
            (select company_id from company_memberships
             where user_id = person and seen_at <= moment and company_id is not null
             order by seen_at desc, event_id desc limit 1),
            (select company_id from company_memberships where user_id = person and company_id is not null
             order by seen_at, event_id limit 1))) as of_person (id)
        where of_person.id is not null
    $$;

-- Who is meant by an identity event: by CSR id, by external id, by e-mail, or somebody new.
--
-- One call per event. The unique keys of users, user_external_ids and user_emails serve as locks: of two workers that
-- meet the same unknown person at once, the second waits for the first, looks again and finds the person. Names are only
-- ever tied together, never parted, so what was read and has changed since is either still right or names somebody who is
-- gone: then a foreign key, checked at the commit at the latest, makes the batch try again.
-- Nothing here depends on the order of arrival, unless identifiers contradict each other (first come; listed).
create or replace function apply_identity(
    in_event uuid, in_at timestamptz, in_provider text, in_scope uuid, in_external_id text, in_csr_id uuid,
    in_email text, in_first_name text, in_last_name text, in_active boolean, in_metadata jsonb
) returns table (touched text, counted text, key text)
language plpgsql as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    person uuid;
    identity_id uuid;
    is_new_identity boolean;
    is_new_email boolean := false;
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
    for attempt in 1..100 loop
        person := (select u.profile_id from user_external_ids u where u.provider = in_provider and u.scope = in_scope
                   and u.external_id = in_external_id);
        by_csr := (select u.id from users u where u.id = in_csr_id);
        by_email := coalesce((select e.user_id from user_emails e where e.email = in_email),
                             (select u.id from users u where u.email = in_email));

        -- Somebody new: whoever else makes them known at this moment is waited for, and found by looking again.
        if person is null and by_csr is null and by_email is null then
            wanted := coalesce(in_csr_id, derived_id('milepost:user:' || in_email));
            insert into users (id, email, id_derived, updated_at) values (wanted, in_email, in_csr_id is null, in_at)
            on conflict do nothing;
            continue when not found;
            by_csr := case when in_csr_id is not null then wanted end;
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

        -- Several CSR ids for one person contradict each other: the event applies to the first.
        meant := array(select distinct one from unnest(array[person, by_email, by_csr]) as one where one is not null);
        csr_ids := array(select u.id from users u where u.id = any (meant) and not u.id_derived);
        if in_csr_id is not null and not in_csr_id = any (csr_ids) then
            csr_ids := csr_ids || in_csr_id;
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
        if in_csr_id is not null and by_csr is null then
            begin
                update users u set id = in_csr_id, id_derived = false where u.id = person and u.id_derived;
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
