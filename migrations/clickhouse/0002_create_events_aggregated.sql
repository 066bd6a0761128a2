-- Sums of events_raw by hour, type, company and programme, kept by a view that runs with every insert. Whatever is asked
-- of it must be summed again, because rows of one key are merged only in the background:
--     select sum(events), sum(minutes), uniqMerge(people) from events_aggregated where … group by …
--
-- The view is part of the insert: if it fails, the insert fails, and the repeat with the same token completes it. For that
-- this table keeps tokens too, as many as events_raw: without them a repeat would count twice here.
--
-- The hour: DateTime reaches from 1970 to 2106 and toStartOfHour gives a DateTime, so for other years both say something
-- else without a word. Hence DateTime64, and plain arithmetic, which no setting of the server changes.
-- Partitions are those of events_raw, so that a month can be recomputed from the same month there.
create table if not exists events_aggregated (
    hour DateTime64(0, 'UTC') codec(Delta, ZSTD(1)) comment 'begin of the hour',
    event_type LowCardinality(String),
    company_id Nullable(UUID) codec(ZSTD(1)) comment 'null: of no company',
    program_id Nullable(UUID) codec(ZSTD(1)) comment 'null: of no programme',
    events SimpleAggregateFunction(sum, UInt64),
    people AggregateFunction(uniq, Nullable(UUID)) comment 'different people, estimated: uniqMerge',
    minutes SimpleAggregateFunction(sum, Decimal(38, 6)),
    rating_sum SimpleAggregateFunction(sum, Decimal(38, 6)),
    rating_count SimpleAggregateFunction(sum, UInt64)
)
engine = AggregatingMergeTree
partition by if(
    hour >= toDateTime64('2000-01-01 00:00:00', 0, 'UTC') and hour < toDateTime64('2100-01-01 00:00:00', 0, 'UTC'),
    toYYYYMM(hour), 0)
order by (event_type, company_id, program_id, hour)
settings non_replicated_deduplication_window = 10000, allow_nullable_key = 1
comment 'generation 1';

create materialized view if not exists events_aggregated_view to events_aggregated as
select
    fromUnixTimestamp64Second(
        intDiv(toUnixTimestamp64Micro(event_time) - positiveModulo(toUnixTimestamp64Micro(event_time), 3600000000), 1000000),
        'UTC') as hour,
    event_type,
    company_id,
    program_id,
    count() as events,
    uniqState(user_id) as people,
    ifNull(sum(event.minutes), 0) as minutes,
    ifNull(sum(rating), 0) as rating_sum,
    count(rating) as rating_count
from events_raw as event
group by hour, event_type, company_id, program_id;
