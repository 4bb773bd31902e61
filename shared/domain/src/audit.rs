//! The audit of a customer's wallet: its account, its profile, the payments into it, and its referrals.
//!
//! **Invariant:** each area compares what it stores itself; this module only combines the results.

use crate::ids::ReferralCode;
use crate::ledger::audit::{Books, Proof, fold};
use crate::payments::audit::PaymentBooks;
use crate::rewards::state::ReferralRecord;
use crate::wallet::profile::Profile;
use crate::{payments, rewards, wallet};

/// Everything stored about one wallet.
#[derive(Clone, Debug)]
pub struct WalletBooks {
    /// The wallet's account, with its entries, holds and orders.
    pub ledger: Books,
    /// Data of the wallet beside its account, read from the account item.
    pub profile: Option<Profile>,
    /// The referral code registered for this customer.
    pub referral: Option<ReferralCode>,
    /// The record of who referred this customer.
    pub referred: Option<ReferralRecord>,
    /// The customer's top-ups.
    pub payments: PaymentBooks,
}

/// Recomputes one wallet and returns the differences found.
pub fn prove(books: &WalletBooks) -> Proof {
    let mut audit = fold(&books.ledger);
    wallet::audit::compare(&mut audit, books.profile.as_ref(), books.referral.as_ref());
    payments::audit::compare(&mut audit, &books.payments);
    rewards::audit::compare(&mut audit, books.profile.as_ref(), books.referred.as_ref());
    audit.proof
}
