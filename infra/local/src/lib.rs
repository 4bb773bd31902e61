//! The local platform: every function, the table, a gateway and a test clock in one process.
//!
//! **Invariant:** the code of a function is the same here and in AWS; only endpoints, credentials and
//! configuration differ.
//! **Invariant:** it listens on loopback only: its control handles are open to whoever reaches the port.

// This crate is wiring from end to end: it reads the environment, starts the clocks and prints.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

pub mod audit;
pub mod audit_budgets;
pub mod clock;
pub mod commands;
pub mod connection;
pub mod control;
pub mod data;
pub mod database;
pub mod docs;
pub mod fakes;
pub mod functions;
pub mod gateway;
pub mod import;
pub mod invoke;
pub mod keys;
pub mod payments;
pub mod platform;
pub mod sample;
pub mod token;
pub mod trigger;

/// What a command fails with: a sentence for the terminal.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
