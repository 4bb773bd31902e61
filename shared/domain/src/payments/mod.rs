//! Payments into wallets: intents, what gateways report, credits, refunds and disputes.
//!
//! **Invariant:** only a captured payment of exactly its intent's amount and currency becomes credit, once.

pub mod audit;
mod causes;
pub mod gateway_report;
pub mod initiate;
pub mod limits;
pub mod process;
pub mod reversal;
pub mod state;
pub mod topup;
pub mod webhook_event;
