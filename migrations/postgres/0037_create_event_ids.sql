-- Ids of events whose claim was pruned, or whose month was archived and dropped. Claims and these together are every id
-- that was ever taken: an event that comes again is known, whatever time it carries, in whichever partition the first one
-- is or was. A quarter of a claim in size, and live traffic only looks things up here.
create table event_ids (
    event_id     uuid not null constraint event_ids_pkey primary key,
    content_hash uuid
);
comment on table event_ids is 'Ids of stored events without a claim: with the claims, what makes the store unique by event id';
comment on column event_ids.content_hash is 'As in event_deduplication: tells a repeated event from another one with the same id';

-- Moves old claims over, a few at a time and in the order of their age; gives how many, and up to where it looked. The
-- service may not delete claims and calls this instead: whatever it is called with, no id is forgotten, and claims that
-- are still needed as they are (of dead letters, and of events that wait) stay.
create function event_deduplication_prune(
    consumer text, before timestamptz, after_at timestamptz, after_id uuid, most integer,
    out pruned bigint, out reached_at timestamptz, out reached_id uuid)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if before > now() - interval '1 day' then
        raise exception 'claims of the last day are not pruned';
    end if;
    with found as materialized (
        select id, processed_at, success,
            case when event_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then event_id::uuid end as event_id
        from event_deduplication
        where consumer_id = consumer and processed_at < before and (processed_at, id) > (after_at, after_id)
        order by processed_at, id limit most),
    gone as (
        delete from event_deduplication as claim using found
        where claim.id = found.id and claim.success and found.event_id is not null
          and not exists (select from waiting_events where waiting_events.event_id = found.event_id)
        returning found.event_id, claim.content_hash),
    kept as (
        insert into event_ids select * from gone order by event_id on conflict do nothing)
    select (select count(*) from gone), last.processed_at, last.id into pruned, reached_at, reached_id
    from (select) as one left join lateral (
        select processed_at, id from found order by processed_at desc, id desc limit 1) as last on true;
end
$$;
comment on function event_deduplication_prune is 'Moves old claims to event_ids, for a role without the right to delete';
