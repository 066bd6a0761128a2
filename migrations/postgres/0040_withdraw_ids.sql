-- An event that is withdrawn was never taken: its id goes with it, or it would be a duplicate when it is redriven. (It may be
-- in `event_ids`: it was stored without a contract, its claim was pruned, and only then had it to wait. Everything else as
-- in 0027.)
create or replace function event_log_withdraw(positions bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    with withdrawn as (
        delete from event_log
        where position = any(positions) and processed_at is null
          and exists (select from waiting_events where waiting_events.position = event_log.position)
        returning position, event_id),
    forgotten as (
        delete from event_ids using withdrawn where event_ids.event_id = withdrawn.event_id)
    insert into feed_outdated (position) select position from withdrawn on conflict do nothing;
end
$$;
