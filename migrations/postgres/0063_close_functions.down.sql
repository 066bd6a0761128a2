grant execute on function event_log_withdraw, event_log_ensure_months, event_deduplication_prune to public;
