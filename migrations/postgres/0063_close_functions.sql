-- Functions with the owner's rights prune claims, take events out of the store and make partitions. Postgres lets everybody
-- call a function until somebody says otherwise, and roles.sql, which does, may be run late or not at all. (merge_people is
-- closed where it is made.) The service is granted them by roles.sql; what was granted there stays.
revoke execute on function event_log_withdraw, event_log_ensure_months, event_deduplication_prune from public;
