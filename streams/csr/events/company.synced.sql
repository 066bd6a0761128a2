-- A whole snapshot: the latest by (timestamp, event id) wins entirely, an absent field means null. The guard is for
-- redelivery and reordering; a stub made by another event has no snapshot yet and always gives way.
insert into companies as company
    (id, name, industry, country, country_code, settings, is_active, snapshot_at, snapshot_event)
select distinct on (company_id)
    company_id, name, industry, country, country_code, settings, coalesce(is_active, true),
    envelope_timestamp, envelope_id
from batch
order by company_id, envelope_timestamp desc, envelope_id desc
on conflict (id) do update set
    name = excluded.name, industry = excluded.industry, country = excluded.country,
    country_code = excluded.country_code, settings = excluded.settings, is_active = excluded.is_active,
    snapshot_at = excluded.snapshot_at, snapshot_event = excluded.snapshot_event,
    -- What ClickHouse keeps of a company: a new version where that differs.
    version = case when (company.industry, company.country, company.country_code)
                        is distinct from (excluded.industry, excluded.country, excluded.country_code)
                   then excluded.version else company.version end
where company.snapshot_at is null
   or (excluded.snapshot_at, excluded.snapshot_event) > (company.snapshot_at, company.snapshot_event);
