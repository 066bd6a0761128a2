//! Tests on real servers: one binary. `make test` starts a Postgres and a ClickHouse for all of them; each test has
//! databases and a NATS server of its own, so that all run in parallel. Nothing is mocked, nothing waits by sleeping.

mod oracle; // the naive judge of flags and milestones
mod support;

mod accounting; // `prove`: every message is accounted for
mod audit; // what was never handled is found and filled
mod audit_logs; // every change of an operator is a row
mod cases; // conditions, facts and the rules of the CSR folder, in one-line cases and against a naive evaluator
mod clickhouse; // what the feed relies on: inserts, tables that are exchanged, migrations
mod company_days; // what companies' people did, day by day and quarter by quarter
mod contention; // workers that change the same people at once lose nothing
mod contracts; // contracts and the stream folder, and how their faults are reported
mod corpus; // bad and odd input, alone and among healthy events
mod crash; // everything dies at any moment
mod dead_letters; // poison that only the database finds, and what operators do about it
mod decoder; // the decoder against chance
mod explain; // what became of an event
mod feed; // stored events in ClickHouse: each once, proved, repaired, rebuilt
mod flow; // the whole path, as the README shows it
mod identity; // one person, one row
mod imports; // files of other systems become events
mod journeys; // flags, milestones, timers, the outbox and the rules, on real servers
mod lifecycle; // starting, being asked how it is, stopping
mod meeting; // a child and its parent at the same moment in two workers
mod mended; // what changes between two deliveries of the same message
mod migrations; // up, down and up again
mod order; // equal sets of events give equal tables
mod privacy; // erasing a person, and what is held about them
mod publisher; // a publisher that is none of ours, in Node
mod rebuild; // tables made anew from the event store, compared and put in place
mod replay; // history once more: from files, the stream and the event store
mod retention; // what is pruned or archived is not taken again
mod seeds; // the live schema against what the platform's documents of it ask for
mod tidy; // the rules of the house, held by reading the source
mod types; // what every event type does to the tables
mod waiting; // events before what they refer to
mod year; // one company's year through every table, as a story
