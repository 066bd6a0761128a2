drop table handled_sequences;
drop table stream_incarnations;
