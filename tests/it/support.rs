//! What every test stands on: servers of its own, the real binary, and a look into the tables.

mod chance;
mod clickhouse;
mod dump;
mod engine;
mod events;
mod nats;
mod proxy;
mod role;
mod watch;
mod world;

pub(crate) use chance::{cases, chance, seeds};
pub(crate) use clickhouse::ClickHouse;
pub(crate) use dump::assert_same;
pub(crate) use engine::Engine;
pub(crate) use events::{Csr, enveloped, event_types};
pub(crate) use nats::Nats;
pub(crate) use proxy::Proxy;
pub(crate) use watch::{BLOCKED, HANDLED, before_it_is_due};
pub(crate) use world::{Running, World, eventually, milepost};
