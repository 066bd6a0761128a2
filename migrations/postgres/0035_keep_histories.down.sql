-- Undoes 0035.

drop index outbox_created_at_idx;
drop table released_waits;
drop table duplicate_messages;
drop index dead_letters_open_in_order_idx;
alter table dead_letters drop column note;
drop trigger dead_letters_verdict on dead_letters;
drop function dead_letters_keep_verdict();
drop table dead_letter_verdicts;
