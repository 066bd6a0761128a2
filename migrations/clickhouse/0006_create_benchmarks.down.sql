drop view if exists benchmarks sync;
