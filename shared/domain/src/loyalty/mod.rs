//! Loyalty: what a purchase earns, what a refund leaves of it, what points pay, and which tier a customer holds.
//!
//! **Invariant:** every rule is a pure function of the purchase, the versions of the rules that it was judged by,
//! and dates. What earns is what simulates, and what a refund leaves is what the rest of the purchase would have
//! earned.
//! **Invariant:** numbers are exact fractions until they are rounded, once.

pub mod campaigns;
pub mod earning;
pub mod exact;
pub mod explanation;
pub mod numbers;
pub mod program;
pub mod purchase;
pub mod redemption;
pub mod refunds;
pub mod spend;
pub mod tiers;
pub mod versions;
