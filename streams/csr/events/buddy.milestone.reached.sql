-- A milestone is reached once per person: the earliest telling counts, by when it was reached, then by event.
insert into journey_milestones as known
    (user_id, milestone, reached_at, triggered_by_rule, metadata, event_id, event_at)
select distinct on (user_id, milestone_id)
    user_id, 'buddy:' || milestone_id, reached_at, envelope_type,
    jsonb_build_object('title', milestone_title, 'category', milestone_category, 'points', points),
    envelope_id, envelope_timestamp
from batch
order by user_id, milestone_id, reached_at, envelope_timestamp, envelope_id
on conflict (user_id, milestone) do update set
    reached_at = excluded.reached_at, metadata = excluded.metadata,
    event_id = excluded.event_id, event_at = excluded.event_at
where (excluded.reached_at, excluded.event_at, excluded.event_id) < (known.reached_at, known.event_at, known.event_id)
returning 'company_days' as touched, 'milestone ' || id as key;
