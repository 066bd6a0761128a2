//! Milepost: JSON events from NATS JetStream, each with exactly one effect on Postgres.
//!
//! The modules in reading order. Start with [`pipeline`]: everything the service promises is the order of the
//! lines in [`pipeline::process`]. CORE modules are synchronous, do no I/O and cannot fail on input; EDGE modules
//! own one client library each and do not know each other.

pub mod pipeline;

// core: what an event is
pub mod batch;
pub mod contract;
pub mod decode;
pub mod derived_id;
pub mod document;
pub mod domain;
pub mod envelope;
pub mod event;
pub mod feed;
pub mod gate;
pub mod import;
pub mod instant;
pub mod journey;
pub mod json;
pub mod line;
pub mod privacy;
pub mod projection;

// edges: JetStream, Postgres, ClickHouse, HTTP
pub mod http;
pub mod sink;
pub mod source;
pub mod store;

// the service around them
pub mod analytics;
pub mod archive;
pub mod audit;
pub mod explain;
pub mod health;
pub mod metrics;
pub mod person;
pub mod prove;
pub mod rebuild;
pub mod redrive;
pub mod relay;
pub mod release;
pub mod replay;
pub mod retention;
pub mod retry;
pub mod rules;
pub mod service;
pub mod timers;
pub mod topology;

// the command line
pub mod cli;
pub mod error;
pub mod telemetry;
