//! Jobs: their rows, who applies them, and how far they are.
//!
//! **Invariant:** a job's rows are stored before anything of it can be taken: [`Jobs::make`] sets its status last.
//! **Invariant:** one process at a time holds a part; the transaction that ends a part counts it, once.

mod items;
mod make;
mod parts;
mod reads;
mod uploads;

pub use make::{JobError, MadeJob, NewJob};
pub use parts::{Held, Taken};
pub use reads::{DueJob, RowPage};
pub use uploads::{RowsTaken, UploadJob};

use crate::engine::table::Table;

/// Days for which a job and its rows are kept; longer than the 90 days after its end that are promised.
const KEPT_DAYS: i64 = 120;

/// The area of jobs.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub(crate) table: Table,
}
