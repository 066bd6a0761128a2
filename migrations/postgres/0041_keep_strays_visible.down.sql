-- Makes the partitions of these months, moving strays over; true when all are there. The service has no right to
-- create tables and calls this instead; months far from now are refused, so that hostile timestamps cannot make
-- thousands of tables. It needs the default partition for itself for a moment: where somebody reads it for long
-- (a dump, an analyst), it gives up soon instead of queueing everybody behind it, and strays wait in the default.
create or replace function event_log_ensure_months(months date[]) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '300ms'
as $$
declare
    month date;
    name text;
begin
    for month in
        select distinct date_trunc('month', wanted)::date from unnest(months) as wanted
        where wanted between '2000-01-01' and now() + interval '2 years'
        order by 1
    loop
        name := 'event_log_' || to_char(month, 'YYYY_MM');
        continue when to_regclass('public.' || name) is not null;
        -- One at a time. A lock on a table, unlike an advisory one, also shows what others have made meanwhile.
        lock table public.event_log in share update exclusive mode;
        continue when to_regclass('public.' || name) is not null;
        -- No row of this month may enter the default partition between the move and the attachment.
        lock table public.event_log_default in access exclusive mode;
        execute format('create table public.%I (like public.event_log including defaults including constraints)', name);
        execute format(
            'with strays as (delete from public.event_log_default where "timestamp" >= %L and "timestamp" < %L returning *)
             insert into public.%I select * from strays',
            month::timestamp at time zone 'UTC', (month + interval '1 month')::timestamp at time zone 'UTC', name);
        execute format(
            'alter table public.event_log attach partition public.%I for values from (%L) to (%L)',
            name, month::timestamp at time zone 'UTC', (month + interval '1 month')::timestamp at time zone 'UTC');
    end loop;
    return true;
exception when lock_not_available then
    return false;
end
$$;
