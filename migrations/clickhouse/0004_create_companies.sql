-- What companies are compared by: rows of companies in Postgres, each in all its versions until they are merged. The
-- latest version wins, so it must be read with `final`. Names are left out, nothing here asks for them.
--
-- Order: the key. Partitions: none, there are few companies. Codecs: words come from small sets, so they are dictionaries.
create table if not exists companies (
    company_id UUID,
    industry LowCardinality(Nullable(String)) comment 'null: not known, also while only a stub is there',
    country LowCardinality(Nullable(String)),
    country_code LowCardinality(Nullable(String)),
    version UInt64 codec(Delta, ZSTD(1)) comment 'of the row in Postgres: the greatest wins'
)
engine = ReplacingMergeTree(version)
order by company_id
settings non_replicated_deduplication_window = 10000
comment 'generation 1';
