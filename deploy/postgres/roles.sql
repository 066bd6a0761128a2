-- Least-privilege roles. Run once per database, as its owner, after `milepost migrate`:
--   psql "$DATABASE_URL" -f deploy/postgres/roles.sql
--   create role milepost_service login password '…' in role milepost_writer;
-- The owner migrates and rebuilds tables (`milepost migrate` and `milepost rebuild` need DDL, the latter also the right to
-- create schemas in the database); the service needs none and gets none.
do $$
begin
    if not exists (select from pg_roles where rolname = 'milepost_writer') then
        create role milepost_writer nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'milepost_reader') then
        create role milepost_reader nologin;
    end if;
end
$$;

revoke create on schema public from public;
revoke all on all functions in schema public from public;
grant usage on schema public to milepost_writer, milepost_reader;

-- The service stores, projects and accounts. It cannot delete or truncate events or claims, nor domain rows but these:
-- an enrolment or evidence that follows from nothing any more, because the event that spoke for it was told anew, flags
-- and milestones that do not hold any more, and what counted for a company's day or quarter and counts for another one now.
-- The row of somebody who turned out to be somebody else goes by a function (merge_people) that can do nothing else, and
-- so do the names of somebody who is erased (forget_identities).
grant select, insert, update on all tables in schema public to milepost_writer;
grant delete on waiting_events, handled_sequences, program_enrollments, journey_flags, journey_milestones, journey_timers,
    journey_facts_staged, journey_facts_merged, feed_ranges, feed_outdated, touched_later, company_day_parts, company_people,
    company_campaigns, evidence_ledger, metrics_company_period to milepost_writer;
revoke insert, update on _sqlx_migrations from milepost_writer;
-- What tells of the past is added to and never changed.
revoke update on audit_logs, dead_letter_verdicts, duplicate_messages from milepost_writer;
-- What was taken is remembered by a function that prunes claims, and by whoever archives, what was in the way of a merge by
-- the function that merges; the service reads it.
revoke insert, update on event_ids, event_archives, identity_merge_losses from milepost_writer;
-- Reading them too: the feed looks how far positions and versions have been given out.
grant usage, select on all sequences in schema public to milepost_writer;
grant execute on all functions in schema public to milepost_writer;

-- Dashboards and analysts.
grant select on all tables in schema public to milepost_reader;
grant execute on function derived_id(text) to milepost_reader;

-- What later migrations make is granted by running this file again.
