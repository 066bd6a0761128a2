-- Whom companies count, as what, and since when. Derived from the notes of company_days: of each person whom they name,
-- all is looked at anew. A role may change with whatever names a person, also with a snapshot of the same company.
with named as materialized (
    select kind, name, case when kind not in ('volunteering', 'enrollment', 'placement') then name::uuid end as id
    from touched
    cross join lateral (
        select split_part(key, ' ', 1), substr(key, strpos(key, ' ') + 1)) as parts (kind, name)),
reports as materialized (
    select kind, split_part(name, ' ', 1) as source_system, substr(name, strpos(name, ' ') + 1) as source_id
    from named where kind in ('enrollment', 'placement')),
people as materialized (
    select told.user_id as id from named join company_memberships as told on told.event_id = named.id
    where named.kind in ('membership', 'merged')
    union
    select person.id from named join buddy_matches as pair on pair.id = named.id
    cross join lateral (values (pair.participant_id), (pair.buddy_id)) as person (id)
    where named.kind = 'match'
    union
    select person.id from named join kintell_sessions as session on session.id = named.id
    cross join lateral (values (session.participant_id), (session.volunteer_id)) as person (id)
    where named.kind = 'session'
    union
    -- Also whom the tellings of one thing named before.
    select named_once.user_id from named join kintell_session_people as named_once on named_once.session_id = named.id
    where named.kind = 'session'
    union
    select told.user_id from named join learning_reports as told on told.event_id = named.id where named.kind = 'course'
    union
    select named_once.user_id
    from reports join enrollment_report_people as named_once using (source_system, source_id)
    where reports.kind = 'enrollment'
    union
    select named_once.user_id from reports join placement_people as named_once using (source_system, source_id)
    where reports.kind = 'placement'),

-- Each counts for the company that they belonged to when it began: the enrolment, for a placement too; the match.
enrolled as materialized (
    select people.id, company.id as company_id, (first.enrolled_at at time zone 'UTC')::date as since
    from people
    cross join lateral (
        select min(enrolled_at) as enrolled_at from program_enrollments where user_id = people.id) as first
    cross join lateral company_at(people.id, first.enrolled_at) as company (id)
    where first.enrolled_at is not null),
counted as materialized (
    select id as user_id, company_id, 'enrolled' as measure, null::uuid as match_id, since, null::date as until
    from enrolled
    union all
    select enrolled.id, enrolled.company_id, 'placed', null, greatest(enrolled.since, placed.since), null
    from enrolled
    cross join lateral (
        select (min(placement_date) at time zone 'UTC')::date as since from placements
        where user_id = enrolled.id and status in ('active', 'completed')
          and placement_type in ('job_placement', 'internship', 'apprenticeship')) as placed
    where placed.since is not null
    union all
    select person.id, company.id, 'participant', null, (enrolment.enrolled_at at time zone 'UTC')::date, null
    from people join users as person on person.id = people.id and person.role = 'participant'
    join program_enrollments as enrolment
      on enrolment.user_id = person.id and enrolment.program_type = 'buddy' and enrolment.source_id is null
    cross join lateral company_at(person.id, enrolment.enrolled_at) as company (id)
    union all
    select person.id, company.id, 'volunteer', pair.id, (pair.matched_at at time zone 'UTC')::date,
        case when pair.status <> 'active'
             then (coalesce(pair.ended_at, pair.matched_at) at time zone 'UTC')::date end
    from people join users as person on person.id = people.id and person.role = 'volunteer'
    join buddy_matches as pair on pair.buddy_id = person.id
    cross join lateral company_at(person.id, pair.matched_at) as company (id)),

known as materialized (
    select known.user_id, known.company_id, known.measure, known.match_id, known.since, known.until
    from people join company_people as known on known.user_id = people.id),
removed as (
    delete from company_people as gone using known
    where gone.user_id = known.user_id and gone.measure = known.measure
      and gone.match_id is not distinct from known.match_id
      and not exists (
          select from counted
          where counted.user_id = known.user_id and counted.measure = known.measure
            and counted.match_id is not distinct from known.match_id)),
written as (
    insert into company_people as known (user_id, company_id, measure, match_id, since, until)
    select user_id, company_id, measure, match_id, since, until from counted
    on conflict (user_id, measure, match_id) do update set
        company_id = excluded.company_id, since = excluded.since, until = excluded.until
    where (known.company_id, known.since, known.until) is distinct from (excluded.company_id, excluded.since, excluded.until)),
differing as (
    (select * from counted except select * from known) union all (select * from known except select * from counted)),
-- Who turned out to be somebody else may have been counted by any company that either ever belonged to.
merged as (
    select theirs.company_id, date '1900-01-01' as since
    from named join company_memberships as told on told.event_id = named.id
    join company_memberships as theirs on theirs.user_id = told.user_id
    where named.kind = 'merged' and theirs.company_id is not null)
select 'metrics_company_period' as touched, 'since ' || company_id || ' ' || to_char(min(since), 'YYYY-MM-DD') as key
from (select company_id, since from differing union all select company_id, since from merged) as changes
group by company_id;
