create or replace function event_log_withdraw(positions bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    delete from event_log
    where position = any(positions) and processed_at is null
      and exists (select from waiting_events where waiting_events.position = event_log.position);
end
$$;

drop table feed_mirrors;
drop table feed_outdated;
drop table feed_leases;
drop table feed_ranges;
drop table feed_generations;
