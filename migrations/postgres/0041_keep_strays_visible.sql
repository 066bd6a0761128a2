-- A month that gets its partition while somebody is about to read the store: its strays were missed, when the reader
-- waited for the default partition with a plan that did not know the new one. Strays are moved only while nobody reads.
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
    begins timestamptz;
    ends timestamptz;
    has_strays boolean;
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
        begins := month::timestamp at time zone 'UTC';
        ends := (month + interval '1 month')::timestamp at time zone 'UTC';
        has_strays := exists (
            select from public.event_log_default where "timestamp" >= begins and "timestamp" < ends);
        if has_strays then
            -- Whoever waits for the default partition while being planned knows nothing of the new one, and would find
            -- the strays in neither. All lock the store itself before that: so they are to wait there.
            lock table only public.event_log in access exclusive mode;
        end if;
        -- No row of this month may enter the default partition between the move and the attachment.
        lock table public.event_log_default in access exclusive mode;
        if not has_strays and exists (
            select from public.event_log_default where "timestamp" >= begins and "timestamp" < ends)
        then
            return false; -- one came in between: the next time
        end if;
        execute format('create table public.%I (like public.event_log including defaults including constraints)', name);
        execute format(
            'with strays as (delete from public.event_log_default where "timestamp" >= %L and "timestamp" < %L returning *)
             insert into public.%I select * from strays',
            begins, ends, name);
        execute format(
            'alter table public.event_log attach partition public.%I for values from (%L) to (%L)',
            name, begins, ends);
    end loop;
    return true;
exception when lock_not_available then
    return false;
end
$$;

comment on column feed_ranges.body is 'The rows until they are fed: a line that names the columns, then one frame as ClickHouse takes it compressed';
