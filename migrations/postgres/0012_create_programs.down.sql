-- Undoes 0012, the last table first; indexes go with their tables.

drop table program_enrollments;
drop table program_campaigns;
drop table programs;
drop table beneficiary_groups;
drop table program_templates;
