drop table if exists metrics_daily sync;
