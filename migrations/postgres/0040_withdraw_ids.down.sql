create or replace function event_log_withdraw(positions bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    with withdrawn as (
        delete from event_log
        where position = any(positions) and processed_at is null
          and exists (select from waiting_events where waiting_events.position = event_log.position)
        returning position)
    insert into feed_outdated (position) select position from withdrawn on conflict do nothing;
end
$$;
