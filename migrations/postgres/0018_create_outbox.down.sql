-- Undoes 0018.
drop table outbox;
