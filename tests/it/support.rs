//! What every test stands on: servers of its own, the real binary, and a look into the tables.

mod events;
mod nats;
mod world;

pub(crate) use events::{Csr, enveloped};
pub(crate) use nats::Nats;
pub(crate) use world::{Running, World, assert_same, eventually, milepost};
