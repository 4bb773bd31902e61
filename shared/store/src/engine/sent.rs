//! What became of one send.
//!
//! **Invariant:** [`Sent::Unknown`] is given whenever the change may have been made without our knowing; every other
//! answer is certain.

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    /// Done.
    Done(T),
    /// Not done: a condition did not hold; what was found there.
    Refused(T),
    /// Not done: others were quicker, or the table throttles.
    Busy(String),
    /// Perhaps done.
    Unknown(String),
}
