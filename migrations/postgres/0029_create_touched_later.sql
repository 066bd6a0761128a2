-- What batches touched and one process derives later. Without a unique key: two workers that touch the same row do not
-- wait for each other, the second note is only computed in vain.
create table touched_later (
    id   bigserial primary key,
    name text      not null,
    key  text      not null
);

comment on table touched_later is 'Notes of batches: what has to be derived again; taken away when it was';
comment on column touched_later.id is 'The order in which notes are taken, oldest first';
comment on column touched_later.name is 'The derived table, as stream.toml names it';
comment on column touched_later.key is 'As the projection returned it; its form is the domain''s';

-- What is there already is derived as well.
insert into touched_later (name, key)
select 'company_days', there.key
from (
    select 'membership ' || event_id as key from company_memberships
    union all select 'match ' || id from buddy_matches
    union all select 'event ' || id from buddy_events
    union all select 'checkin ' || id from buddy_checkins
    union all select 'feedback ' || id from buddy_feedback
    union all select 'milestone ' || id from journey_milestones where event_id is not null
    union all select 'session ' || id from kintell_sessions
    union all select 'rating ' || id from kintell_ratings
    union all select 'course ' || event_id from learning_reports
    union all select 'score ' || id from outcome_scores
    union all select 'enrollment ' || source_system || ' ' || source_id from enrollment_reports
    union all select 'volunteering ' || source || ' ' || source_id from volunteering) as there;
