//! Support for the tests: a world with a table, a clock, callers and faults, and the checker of every law.
//!
//! **Invariant:** every world has its own table, so tests cannot affect each other. Only a world of the deployed
//! stack shares its table: there, names are unique.
//! **Invariant:** every test that moves value ends with [`World::prove`].

pub mod agency;
pub mod answer;
pub mod caller;
pub mod counter;
pub mod deployed;
pub mod drop;
pub mod faults;
pub mod jobs;
pub mod loyal;
pub mod memory;
pub mod model;
pub mod plan;
pub mod points;
pub mod process;
mod proofs;
mod proven;
pub mod rewards;
pub mod shop;
mod simulated_table;
pub mod simulation;
pub mod timing;
pub mod tls;
pub mod uses;
pub mod vouchers;
pub mod world;

pub use agency::Agency;
pub use answer::Answer;
pub use caller::{Caller, acts_for, admin, customer, service, service_named, staff};
pub use deployed::unique;
pub use faults::{Fault, Faults, stopped};
pub use shop::{Outage, Shop};
pub use timing::patient;
pub use world::{ManualClock, World};
