//! The local platform: all functions, the table, a gateway, fakes and a test clock in one process.
//!
//! **Invariant:** the functions run the same code here and in AWS; only endpoints, credentials and
//! configuration differ.
//! **Invariant:** the platform listens only on loopback, because its control endpoints need no
//! token.

// This whole crate is wiring: it reads the environment, starts the clocks and prints.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

pub mod audit;
pub mod audit_budgets;
pub mod books;
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
mod guard;
pub mod import;
pub mod invoke;
pub mod keys;
pub mod payments;
pub mod platform;
pub mod queues;
mod replay;
pub mod s3;
mod s3_signature;
pub mod sample;
mod sample_loyalty;
pub mod sqs;
pub mod token;
pub mod trigger;

/// Error of a command, which is printed on the terminal.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
