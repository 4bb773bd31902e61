//! Vouchers: codes that customers buy with points.
//!
//! **Invariant:** points, code and purchase move in one transaction: a code is sold once, and only for its price.
//!
//! A voucher is an entry of a catalogue ([`voucher`]); its codes are stocked like gift cards, in the same space of keyed
//! digests, so no code is stocked twice anywhere. A [`purchase`] burns points and takes a free code; a [`refund`] gives
//! the points back to their lots, and the code stays void.

pub mod audit;
pub mod bought;
pub mod code;
pub mod purchase;
pub mod refund;
pub mod state;
pub mod voucher;
