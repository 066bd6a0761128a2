-- Undoes 0028; indexes and sequences go with their table.

drop index companies_version_idx;
alter table companies drop column version;
drop table company_day_parts;
drop table company_days;
drop function company_at(uuid, timestamptz);
