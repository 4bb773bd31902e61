//! Reads the rows of jobs, from the body of a request or from a file.
//!
//! **Invariant:** a row of a file is read as the same row in a body is.
//! **Invariant:** the same rows give the same digests, however they are divided when they are read.

mod accounts;
mod cells;
pub mod elements;
pub mod file;
mod imports;
mod kind;
mod known;
mod points;
mod reader;
mod wallets;

pub use kind::RowKind;
pub use reader::RowReader;
