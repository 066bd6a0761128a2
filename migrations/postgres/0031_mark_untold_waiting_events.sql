-- What a replay brings is not told to the outside; that must still be known when it has waited and is released.
alter table waiting_events add column is_told boolean not null default true;

comment on column waiting_events.is_told is 'False: a replay brought it, and what it changes is not told to the outside';
