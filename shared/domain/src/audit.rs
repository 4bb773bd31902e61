//! The proof of a customer's wallet: its account, its profile, and the payments into it.
//!
//! **Invariant:** each area compares what it keeps itself; here they are put together.

use crate::ids::ReferralCode;
use crate::ledger::audit::{Books, Proof, fold};
use crate::payments::audit::PaymentBooks;
use crate::wallet::profile::Profile;
use crate::{payments, wallet};

/// Everything stored about one wallet.
#[derive(Clone, Debug)]
pub struct WalletBooks {
    /// Its account.
    pub ledger: Books,
    /// What only a wallet has, from the account's item.
    pub profile: Option<Profile>,
    /// The referral code that is registered as this customer's.
    pub referral: Option<ReferralCode>,
    /// The payments into it.
    pub payments: PaymentBooks,
}

/// Recomputes one wallet.
pub fn prove(books: &WalletBooks) -> Proof {
    let mut audit = fold(&books.ledger);
    wallet::audit::compare(&mut audit, books.profile.as_ref(), books.referral.as_ref());
    payments::audit::compare(&mut audit, &books.payments);
    audit.proof
}
