-- Every stored event, once: a copy of the event store (Postgres, event_log) in its total order, `position`. The feed
-- inserts sealed ranges of positions, each as one block with a token of its own.
--
-- Order: analysis asks for types and times. The feed asks for ranges of positions, to verify what it inserted: hence
-- the index on position. Positions grow with time, so that a part, and within it a granule, holds few of them.
--
-- Partitions: months of the event's own time, so that a month can be dropped, replaced or recomputed by itself. A
-- timestamp is what a publisher says: contracts allow the years 1900 to 2299, which are 4,800 months, and each
-- partition costs files in every insert that meets it. So what is before 2000 or from 2100 on shares partition 0.
--
-- Deduplication: a plain MergeTree forgets the tokens of its inserts at once unless it is told how many to keep.
-- The feed never has more than a few ranges under way; 10,000 is far more than can be tried again.
--
-- Codecs: position and times hardly differ from row to row in this order (Delta, then ZSTD). Ids of people, companies
-- and correlations come again and again (ZSTD); an event id never does, and random bytes cannot be made smaller. The
-- payload is the bulk (ZSTD; level 3 gained nothing on a generated log). Words come from small sets: LowCardinality, which
-- is a dictionary (were a publisher to make up thousands of types, it would be slower, not wrong).
--
-- No TTL: the log is the truth, and this is its copy; what is deleted here would be missing in every recomputation.
-- Where events must go after a time, say so by the time of reception, which no publisher chooses:
--     alter table events_raw modify ttl toDateTime(received_at) + interval 10 year
create table if not exists events_raw (
    position UInt64 codec(Delta, ZSTD(1)) comment 'place in the total order of the event store; gaps are normal',
    event_id UUID codec(NONE),
    event_type LowCardinality(String),
    family LowCardinality(String) comment 'first word of the type',
    version LowCardinality(String) comment 'version of the contract, as the envelope says',
    user_id Nullable(UUID) codec(ZSTD(1)) comment 'PII: whom the event is about',
    company_id Nullable(UUID) codec(ZSTD(1)) comment 'as the event says, else as known when it was fed',
    campaign_id Nullable(UUID) codec(ZSTD(1)) comment 'as the event says, else as known when it was fed',
    program_id Nullable(UUID) codec(ZSTD(1)) comment 'as the event says, else as known when it was fed',
    event_time DateTime64(6, 'UTC') codec(Delta, ZSTD(1)) comment 'the time of the matter itself where the data has one',
    received_at DateTime64(6, 'UTC') codec(Delta, ZSTD(1)) comment 'when the event was stored',
    correlation_id Nullable(UUID) codec(ZSTD(1)),
    minutes Nullable(Decimal(18, 6)) codec(ZSTD(1)),
    rating Nullable(Decimal(18, 6)) codec(ZSTD(1)),
    points Nullable(Decimal(18, 6)) codec(ZSTD(1)),
    amount Nullable(Decimal(38, 6)) codec(ZSTD(1)),
    payload String codec(ZSTD(1)) comment 'the data as JSON, without personal fields',
    index position_range position type minmax granularity 1
)
engine = MergeTree
partition by if(
    event_time >= toDateTime64('2000-01-01 00:00:00', 6, 'UTC') and event_time < toDateTime64('2100-01-01 00:00:00', 6, 'UTC'),
    toYYYYMM(event_time), 0)
order by (event_type, event_time, position)
settings non_replicated_deduplication_window = 10000
comment 'generation 1';
