-- Undoes 0029.

drop table touched_later;
