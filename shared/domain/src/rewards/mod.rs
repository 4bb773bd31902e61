//! Rewards that customers claim, and referrals: credit of the money wallet that is given away.
//!
//! **Invariant:** a reward is claimed by as many customers as it has uses, and once by each.
//! **Invariant:** a customer is referred once, by another, and referrals form no circle.
//!
//! Each use of a reward is an item: a claim deletes one in the transaction that credits the wallet, so no count is
//! shared by the customers who claim at once. Uses are created in blocks ([`reward`]), and are never returned.

pub mod audit;
pub mod causes;
pub mod claim;
pub mod deliver;
pub mod delivery;
pub mod delivery_state;
pub mod permit;
pub mod program;
pub mod referral;
pub mod reversal;
pub mod reward;
pub mod state;
mod take_back;
