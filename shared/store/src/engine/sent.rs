//! Outcome of one send.
//!
//! **Invariant:** [`Sent::Unknown`] is returned whenever the change may have been applied without
//! confirmation; every other outcome is certain.

/// Outcome of one request.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    /// Applied.
    Done(T),
    /// Not applied: a condition failed; with the items that were found.
    Refused(T),
    /// Not applied: another request won, or the table throttles.
    Busy(String),
    /// Not applied: it never reached the table, because there is no connection.
    Unsent(String),
    /// The outcome is unknown: it may have been applied.
    Unknown(String),
}
