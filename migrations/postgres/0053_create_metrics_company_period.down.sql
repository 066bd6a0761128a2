-- Undoes 0053; constraints and indexes go with their table.

delete from touched_later where name = 'metrics_company_period';
drop table metrics_company_period;
drop table company_campaigns;
drop table company_people;
