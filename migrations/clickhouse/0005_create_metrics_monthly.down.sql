drop view if exists metrics_monthly sync;
