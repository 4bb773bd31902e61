//! Exports: files of what is in the table.
//!
//! **Invariant:** a file is named by the attempt that wrote it, and only the attempt that ends its segment has its files
//! named by the job.

use crate::ids::CustomerId;
use crate::jobs::kind::JobKind;
use crate::time::Date;
use serde::{Deserialize, Serialize};

/// Segments of the table that an export reads independently.
const SEGMENTS: u32 = 4;

/// Returns the number of segments of an export: budgets are written in the order of their tree, by one.
pub fn segments(kind: JobKind) -> u32 {
    if kind == JobKind::ExportAccounts { 1 } else { SEGMENTS }
}

/// The most bytes of a file.
pub const FILE_BYTES: usize = 16 * 1024 * 1024;

/// What an export is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFilter {
    /// The first day of movements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The last day of movements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Only this customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
}

impl ExportFilter {
    /// Returns true if there is no limit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true for a day within the limits.
    pub fn has_day(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Returns true for a customer within the limits.
    pub fn has_customer(&self, customer: &CustomerId) -> bool {
        self.customer.as_ref().is_none_or(|only| only == customer)
    }
}

/// A file that an export has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Its name, as callers see it.
    #[serde(rename = "n")]
    pub name: String,
    /// Its key in the files bucket.
    #[serde(rename = "k")]
    pub key: String,
    /// Its size.
    #[serde(rename = "b")]
    pub bytes: u64,
    /// Its rows, the first line aside.
    #[serde(rename = "r")]
    pub rows: u64,
    /// Its SHA-256 in hexadecimal digits.
    #[serde(rename = "h")]
    pub sha256: String,
    /// Rows of wallets that owe something, which the file does not say.
    #[serde(rename = "o", default)]
    pub owed: u64,
}
