drop table if exists companies sync;
