-- Reference data that no event has described yet gets a stub, never a reason to wait.
-- A match has one creating event: a second one under another event id changes nothing (do nothing).
with programs_known as (
    insert into programs (id, program_key, updated_at)
    select distinct program_id, program_id::text, 'epoch'::timestamptz from batch where program_id is not null
    order by 1 on conflict do nothing),
campaigns_known as (
    insert into program_campaigns (id, campaign_key, updated_at)
    select distinct campaign_id, campaign_id::text, 'epoch'::timestamptz from batch where campaign_id is not null
    order by 1 on conflict do nothing),
groups_known as (
    insert into beneficiary_groups (id, updated_at)
    select distinct beneficiary_group_id, 'epoch'::timestamptz from batch where beneficiary_group_id is not null
    order by 1 on conflict do nothing),
created as (
    insert into buddy_matches
        (id, participant_id, buddy_id, matched_at, program_id, campaign_id, beneficiary_group_id, matching_criteria,
         created_event, created_event_at)
    select distinct on (match_id)
        match_id, participant_id, buddy_id, matched_at, program_id, campaign_id, beneficiary_group_id,
        matching_criteria, envelope_id, envelope_timestamp
    from batch
    order by match_id, envelope_timestamp, envelope_id
    on conflict (id) do nothing
    returning id, participant_id, buddy_id)
select derived.touched, person.id::text as key
from created
cross join lateral (values (participant_id), (buddy_id)) as person (id)
cross join (values ('people'), ('enrollments')) as derived (touched)
union all
select 'company_days', 'match ' || id from created
union all
-- What will be said in it is not kept when one of the two was erased.
select 'erased', subject_of('match', id::text) || ' ' || erased.person
from created
cross join lateral erased_person(array[
    subject_of('person', participant_id::text), subject_of('person', buddy_id::text)]) as erased (person)
where erased.person is not null;
