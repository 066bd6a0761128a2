-- What a replay brings is not told to the outside; that must still be known when it has waited and is released. And what
-- it could not apply is to be seen, although no message of the stream counts for it.
alter table waiting_events add column is_told boolean not null default true;
alter table dead_letters add column is_replayed boolean not null default false;

comment on column waiting_events.is_told is 'False: a replay brought it, and what it changes is not told to the outside';
comment on column dead_letters.is_replayed is 'A replay met it, outside of the stream; count is of messages of the stream';
