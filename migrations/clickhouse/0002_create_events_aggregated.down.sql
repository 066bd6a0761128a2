drop view if exists events_aggregated_view sync;
drop table if exists events_aggregated sync;
