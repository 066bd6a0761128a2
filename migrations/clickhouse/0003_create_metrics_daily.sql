-- What companies' people did, by company, campaign, program and day: rows of company_days in Postgres, each in all its
-- versions until they are merged. The latest version of a key wins, so it must be read with `final`; a row of zeros is
-- one that nothing speaks for any more. A month's or a quarter's value is the sum of its days (metrics_monthly).
--
-- Order: the key by which versions replace each other, beginning with what is asked for (a company over a time). Nulls
-- belong to the key: what names no campaign is a row of its own.
--
-- Partitions: months of the day, so that versions of a key always meet in one partition, and a month can be recomputed by
-- itself. The day is what a publisher says, in the years 1900 to 2299: what is before 2000 or from 2100 on shares
-- partition 0, as in events_raw. Hence Date32 too: Date begins in 1970.
--
-- Deduplication: a table that is not replicated forgets the tokens of its inserts at once unless it is told how many to
-- keep. A row that came twice would be harmless here, and is kept out all the same, so that the feed is alike everywhere.
--
-- Codecs: days and versions hardly differ from row to row in this order (Delta, then ZSTD); ids come again and again, and
-- most measures of a row are zero (ZSTD alone).
create table if not exists metrics_daily (
    company_id UUID codec(ZSTD(1)),
    campaign_id Nullable(UUID) codec(ZSTD(1)) comment 'null: of no campaign; in addition to the others',
    program_id Nullable(UUID) codec(ZSTD(1)) comment 'null: of no program; in addition to the others',
    day Date32 codec(Delta, ZSTD(1)) comment 'UTC, of the data''s own time',
    minutes Decimal(38, 6) codec(ZSTD(1)) comment 'volunteered',
    rating_sum Decimal(38, 6) codec(ZSTD(1)),
    rating_count UInt64 codec(ZSTD(1)),
    score_sum Decimal(38, 6) codec(ZSTD(1)),
    score_count UInt64 codec(ZSTD(1)),
    enrolled_people UInt64 codec(ZSTD(1)) comment 'people whose first enrolment begins on this day',
    matches UInt64 codec(ZSTD(1)),
    events UInt64 codec(ZSTD(1)),
    skill_shares UInt64 codec(ZSTD(1)),
    feedbacks UInt64 codec(ZSTD(1)),
    milestones UInt64 codec(ZSTD(1)),
    checkins UInt64 codec(ZSTD(1)),
    sroi_weight Decimal(38, 6) codec(ZSTD(1)) comment 'the weights of what is counted from matches on',
    version UInt64 codec(Delta, ZSTD(1)) comment 'of the row in Postgres: the greatest wins'
)
engine = ReplacingMergeTree(version)
partition by if(day >= toDate32('2000-01-01') and day < toDate32('2100-01-01'), toYYYYMM(day), 0)
order by (company_id, day, campaign_id, program_id)
settings non_replicated_deduplication_window = 10000, allow_nullable_key = 1
comment 'generation 1';
