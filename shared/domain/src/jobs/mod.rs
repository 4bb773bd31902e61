//! Jobs: the same operation for many rows, which messages of a queue carry out part by part.
//!
//! A job's rows are stored before anything of it is applied, in parts of [`part::ROWS`]. A message names one part;
//! its receiver takes the part, applies its rows and ends it. A message only says that there is something to
//! do: it may be lost, come twice or late.
//!
//! **Invariant:** total = succeeded + failed + cancelled + pending.
//! **Invariant:** a row is applied under a cause of its own, so it takes effect once, however often it is applied.
//! **Invariant:** the outcome of a row is what its entry says: one process at a time applies a part, a part that was
//! begun is finished, and only parts that nobody has begun are cancelled.

pub mod budget_row;
pub mod causes;
pub mod export;
pub mod figures;
pub mod import_row;
pub mod job;
pub mod kind;
pub mod options;
pub mod part;
pub mod permit;
pub mod row;
pub mod status;
pub mod upload;
