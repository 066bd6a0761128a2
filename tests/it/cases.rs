//! Tests of the core of journeys: no I/O, no clock.
//!
//! *given* words of signals, *then* what a rule says: one line per case, for the rules of the built-in folder and for
//! each kind of condition. Besides, laws that hold for random histories under random rules, and an evaluator that
//! looks at the whole history naively, which the incremental one has to agree with.

mod conditions;
mod csr_flags;
mod csr_followup;
mod csr_milestones;
mod given;
mod kept;
mod naive;
mod naive_story;
mod properties;
mod random_history;
mod random_rules;
mod refused;
mod told;
