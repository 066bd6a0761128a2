//! Files of other systems: their rows become events, as the stream folder declares (`imports/<entity>.toml`).
//!
//! What an entity is, which columns it has and which events a row becomes is the folder's. Here are only columns,
//! conversions and references. Bytes come in; events, or faults with their line and column, go out.

mod compile;
mod convert;
mod declare;
mod fault;
mod header;
mod recognise;
mod row;
mod table;

pub(crate) use compile::takes_batches;
pub use declare::{Declaration, Imports};
pub use fault::Fault;
pub use recognise::{recognise, unknown_columns};
pub use row::{Batch, Made, batch_event, batch_event_id, batch_id, make};
pub use table::{Row, Table, repeated};
