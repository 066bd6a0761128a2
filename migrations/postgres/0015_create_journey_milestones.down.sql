-- Undoes 0015.

drop table journey_milestones;
