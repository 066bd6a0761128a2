drop table encryption_progress;
drop table subject_keys;
