//! Loyalty: what a purchase earns, what a refund leaves of it, what points pay, and which tier a customer holds.
//!
//! **Invariant:** every rule is a pure function of the purchase, the versions of the rules that it was judged by,
//! and dates. What earns is what simulates, and what a refund leaves is what the rest of the purchase would have
//! earned.
//! **Invariant:** numbers are exact fractions until they are rounded, once.

pub mod account;
pub mod adjust;
pub mod audit;
pub mod campaigns;
pub mod causes;
pub mod confirm;
pub mod earn;
pub mod earning;
pub mod exact;
pub mod explanation;
pub mod figures;
pub mod identity;
pub mod import;
pub mod join;
pub mod lock;
pub mod member;
pub mod numbers;
pub mod park;
pub mod permit;
pub mod program;
pub mod purchase;
pub mod record;
pub mod redemption;
pub mod refunds;
pub mod report;
pub mod rules;
pub mod split;
pub mod state;
pub mod take_back;
mod taken;
pub mod tiers;
pub mod versions;
