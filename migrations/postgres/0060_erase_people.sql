-- Erasing a person: the row of users stays, because others' rows refer to it, and says nothing of them any more; what made
-- it possible to find them goes; so do the words of everything that was said with them or about them. What they did stays
-- counted, by an id alone.
--
-- That somebody was erased is known by subject_keys, which no rebuild makes anew: whatever comes late meets it.

-- Whose key seals personal fields (x-subject in the contracts).
create function subject_of(kind text, value text) returns uuid language sql immutable strict parallel safe
    return derived_id('milepost:subject:' || kind || ':' || value);

comment on function subject_of is 'Id of a subject of personal data, as the engine derives it by x-subject; several values are joined by colons';

create function identity_subject(provider text, scope uuid, external_id text) returns uuid
    language sql immutable strict parallel safe
    return subject_of('identity', provider || ':' || scope::text || ':' || external_id);

comment on function identity_subject is 'The subject of an identity in an outside system, as the snapshots of it name it';

create index user_external_ids_subject_idx on user_external_ids (identity_subject(provider, scope, external_id));

create function erased_person(subjects uuid[]) returns uuid language sql stable parallel safe as $$
    select person from subject_keys where subject = any (subjects) and destroyed_at is not null and person is not null
    order by destroyed_at, person limit 1
$$;

comment on function erased_person is 'Who was erased with one of these subjects; null when nobody was';

comment on column user_emails.email is 'PII. Lower case; <id>@erased.invalid where only the id by which an erased person was known is kept';
comment on column users.email is 'PII. The latest e-mail, lower case; earlier ones stay look-up keys in user_emails; <id>@erased.invalid once they were erased';

-- With the owner's rights, because the service may delete almost nothing; `people` names the table, which may be that of a
-- rebuild.
create function forget_identities(people regclass, person uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home text;
begin
    select nspname into home
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where pg_class.oid = people and relname = 'users' and relkind = 'r'
      and nspname in ('public', 'milepost_next', 'milepost_previous') and pg_get_userbyid(relowner) = current_user;
    if home is null then
        raise insufficient_privilege using message = format('%s is no table of people', people);
    end if;
    execute format('delete from %I.user_external_ids where profile_id = $1', home) using person;
    execute format('delete from %I.user_emails where user_id = $1 and email not like ''%%@erased.invalid''', home) using person;
    execute format('delete from %I.external_id_mappings where user_id = $1', home) using person;
    execute format('delete from %I.company_users where user_id = $1', home) using person;
    execute format('delete from %I.identity_conflicts where user_id = $1', home) using person;
    -- Rows of other services that were in the way of a merge may say anything.
    if to_regclass(format('%I.identity_merge_losses', home)) is not null then
        execute format('delete from %I.identity_merge_losses where $1 in (gone, stays)', home) using person;
    end if;
    -- What they were answered, which no event tells and no rebuild has.
    if to_regclass(format('%I.api_request_deduplication', home)) is not null then
        execute format('delete from %I.api_request_deduplication where user_id = $1', home) using person;
    end if;
end
$$;

revoke execute on function forget_identities from public;

comment on function forget_identities is 'Deletes by what names a person was known, and nothing else';

-- Reviews of flags about what somebody erased said, or what was said to them.
create function forget_reviews(in_contents uuid[], in_person uuid) returns table (touched text, key text)
language sql as $$
    with flags as materialized (
        select id from safety_flags where content_id = any (in_contents) and in_person is not null order by id),
    reviews as (
        update safety_reviews set notes = null where flag_id in (select id from flags) and notes is not null),
    shown as (
        update safety_flags set review_notes = null where id in (select id from flags) and review_notes is not null)
    select 'erased', subject_of('flag', id::text) || ' ' || in_person from flags
    union all
    select 'safety_flags', 'flag ' || id from flags
$$;

comment on function forget_reviews is 'Takes the words out of reviews about these contents; returns what is erased and touched';

-- What is said between two people is about both, whoever said it.
create function forget_words(in_matches uuid[], in_sessions uuid[], in_person uuid)
returns table (touched text, key text)
language sql as $$
    with notes as (
        update buddy_checkins set notes = null, question_responses = null
        where match_id = any (in_matches) and num_nonnulls(notes, question_responses) > 0),
    feedback as (
        update buddy_feedback set feedback_text = null where match_id = any (in_matches) and feedback_text is not null),
    outings as (
        update buddy_events set description = null, location = null
        where match_id = any (in_matches) and num_nonnulls(description, location) > 0),
    ratings as (
        update kintell_ratings set feedback_text = null
        where session_id = any (in_sessions) and feedback_text is not null),
    sessions as (
        update kintell_sessions set feedback_text = null where id = any (in_sessions) and feedback_text is not null),
    contents as materialized (
        select id from buddy_checkins where match_id = any (in_matches)
        union all select id from buddy_feedback where match_id = any (in_matches)
        union all select id from kintell_ratings where session_id = any (in_sessions)
        union all select unnest(in_sessions))
    select 'erased', subject_of('match', one::text) || ' ' || in_person from unnest(in_matches) as one
    union all
    select 'erased', subject_of('session', one::text) || ' ' || in_person from unnest(in_sessions) as one
    union all
    select about.touched, about.key from forget_reviews(array(select id from contents), in_person) as about
$$;

comment on function forget_words is 'Takes the words out of all that was said in these matches and sessions; returns what is erased and touched';

-- Everything that is held of one row of users and says more than what they did. Its columns say then just what the event
-- says, so that it is the same in whatever order events come. Whoever was erased twice was so at the earlier time.
create function forget_person(in_person uuid, in_identities uuid[], in_aliases uuid[], in_derived boolean, in_at timestamptz)
returns table (touched text, key text)
language plpgsql as $$
declare
    nowhere constant text := in_person || '@erased.invalid';
    subjects uuid[];
begin
    subjects := array(
        select unnest(in_identities)
        union select subject_of('person', one::text) from unnest(in_aliases || in_person) as one
        union select subject_of('person', e.derived_user_id::text) from user_emails e where e.user_id = in_person
        union select subject_of('email', e.email) from user_emails e
              where e.user_id = in_person and e.email not like '%@erased.invalid'
        union select identity_subject(x.provider, x.scope, x.external_id) from user_external_ids x
              where x.profile_id = in_person);
    perform forget_identities(to_regclass('users'), in_person);
    insert into user_emails (email, user_id)
    select distinct one || '@erased.invalid', in_person from unnest(in_aliases) as one where one <> in_person order by 1
    on conflict do nothing;
    update users u set email = nowhere, first_name = null, last_name = null, role_imported = false,
        id_derived = case u.email when nowhere then u.id_derived or in_derived else in_derived end,
        updated_at = case u.email when nowhere then least(u.updated_at, in_at) else in_at end
    where u.id = in_person;
    update buddy_events set description = null, location = null
    where user_id = in_person and num_nonnulls(description, location) > 0;
    update learning_reports r set metadata = r.metadata - '{credential_url,verification_code}'::text[]
    where r.user_id = in_person and r.metadata ?| '{credential_url,verification_code}';

    return query
    select 'erased', subject || ' ' || in_person from unnest(subjects) as subject
    union all
    select words.touched, words.key
    from forget_words(
        array(select id from buddy_matches where in_person in (participant_id, buddy_id)),
        array(select id from kintell_sessions where in_person in (participant_id, volunteer_id)
              union select session_id from kintell_session_people where user_id = in_person),
        in_person) as words
    union all
    select derived.name, in_person::text from (values ('people'), ('courses')) as derived (name)
    union all
    -- Whom companies count as what depends on the role, which was perhaps an imported one.
    (select 'company_days', 'membership ' || event_id from company_memberships where user_id = in_person
     order by seen_at, event_id limit 1);
end
$$;

comment on function forget_person is 'Takes out of all tables what says who somebody is, and what was said with them; returns what is erased and touched';

-- Rows that turn out to be an erased person's become theirs. Their id is that by which they were erased, so that it does
-- not depend on the order: the first such row takes it, references follow, the others are merged into it.
create function join_erased(in_event uuid, in_person uuid, in_others uuid[], in_at timestamptz)
returns table (touched text, key text)
language plpgsql as $$
declare
    others uuid[] := in_others;
    other uuid;
begin
    if not exists (select from users u where u.id = in_person) then
        if cardinality(others) > 0 then
            -- Whoever went under this id comes back under it before the days of companies have heard that they went.
            touched := 'company_days';
            for key in update company_day_parts p set entity_id = gen_random_uuid()
                       where p.about = in_person and p.entity_id = in_person and p.measure = 'enrolled'
                       returning 'gone ' || p.entity_id loop
                return next;
            end loop;
            update users u set id = in_person where u.id = others[1];
            insert into identity_merges (gone, stays, event_id) values (others[1], in_person, in_event)
            on conflict do nothing;
            others := others[2:];
        else
            insert into users (id, email, updated_at) values (in_person, in_person || '@erased.invalid', in_at)
            on conflict do nothing;
        end if;
    end if;
    foreach other in array others loop
        touched := 'company_days';
        for key in select merge_people(to_regclass('users'), other, in_person) loop
            return next;
        end loop;
        insert into identity_merges (gone, stays, event_id) values (other, in_person, in_event) on conflict do nothing;
    end loop;
    if cardinality(in_others) > 0 then
        return query
        (select 'company_days', 'merged ' || event_id from company_memberships where user_id = in_person
         order by seen_at, event_id limit 1)
        union all
        select 'safety_flags', 'flag ' || id from safety_flags where reviewed_by = in_person
        union all
        select 'merged', in_person::text;
    end if;
end
$$;

comment on function join_erased is 'Makes rows of users part of the row of somebody who was erased, which is made if there is none; returns what was touched';

create function erase_person(
    in_event uuid, in_user uuid, in_identities uuid[], in_aliases uuid[], in_at timestamptz
) returns table (touched text, key text)
language plpgsql as $$
declare
    ids constant uuid[] := array(select distinct one from unnest(in_aliases || in_user) as one);
    person constant uuid := coalesce(
        erased_person(in_identities || array(select subject_of('person', one::text) from unnest(ids) as one)), in_user);
    others uuid[];
    other_ids uuid[];
    is_derived boolean;
begin
    -- Whose id follows from an e-mail may be known by a CSR id meanwhile; nobody has two CSR ids.
    is_derived := in_user = any (in_aliases) or exists (select from user_emails e where e.derived_user_id = in_user);
    others := array(
        select u.id from users u
        where u.id <> person and (u.id = any (ids) or u.id_derived or is_derived)
          and u.id = any (
              ids
              || array(select e.user_id from user_emails e where e.derived_user_id = any (ids))
              || array(select x.profile_id from user_external_ids x
                       where identity_subject(x.provider, x.scope, x.external_id) = any (in_identities)))
        order by u.id for update);
    -- Derived ids follow from e-mails, of which the event has a list.
    other_ids := array(select u.id from users u where u.id = any (others) and not u.id_derived);
    return query select joined.touched, joined.key from join_erased(in_event, person, others, in_at) as joined;
    return query
    select gone.touched, gone.key
    from forget_person(person, in_identities, ids || other_ids, is_derived, in_at) as gone;
end
$$;

comment on function erase_person is 'Makes somebody one of whom nothing is known but what they did; returns what is erased and touched';

-- For whoever asks what is held about them: what others said, or may have said, is left out.
create function without_words(entry jsonb, texts text[]) returns jsonb language sql immutable strict parallel safe as $$
    select entry || coalesce(jsonb_object_agg(name, '[redacted]'), '{}')
    from unnest(texts) as name where entry -> name <> 'null'
$$;

comment on function without_words is 'A row in which free texts read [redacted], where there are any';
