-- Undoes 0019.
drop table journey_facts_staged;
drop table journey_rules;
drop table journey_timers;
drop table journey_flags;
drop table journey_facts;
