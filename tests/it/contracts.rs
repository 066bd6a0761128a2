//! Contracts and the stream folder: what they accept, and how their own faults are reported.

mod adding;
mod differential;
mod folder;
mod topology;

pub(crate) use folder::edited;
