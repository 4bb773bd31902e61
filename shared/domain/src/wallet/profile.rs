//! Data of a wallet beside its account: metadata and the referral code.
//!
//! **Invariant:** a wallet's account holds money; its profile moves no value.

use crate::ids::{CustomerId, ReferralCode, RequestId};
use crate::ledger::account::Account;
use crate::ledger::decision::Outcome;
use crate::ledger::posting::LoadedAccount;
use crate::rejection::Rejection;
use crate::text::Metadata;
use crate::time::Timestamp;

/// Data of a wallet beside its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The pairs supplied by the caller.
    pub metadata: Metadata,
    /// Passed on to friends by the customer; unique.
    pub referral_code: ReferralCode,
    /// The number of customers referred.
    pub referral_count: u64,
    /// Those of them that were referred in another system, from which the wallet was imported.
    pub imported_referrals: u64,
    /// Who referred this customer; set once.
    pub referred_by: Option<CustomerId>,
    /// The first of the chain of who referred whom, as it was then.
    pub referral_root: Option<CustomerId>,
    /// The number of delivered orders that have given this wallet credit.
    pub delivered_orders: u64,
}

impl Profile {
    /// Returns the profile of a new wallet.
    pub fn new(referral_code: ReferralCode, metadata: Metadata) -> Self {
        Self {
            metadata,
            referral_code,
            referral_count: 0,
            imported_referrals: 0,
            referred_by: None,
            referral_root: None,
            delivered_orders: 0,
        }
    }
}

/// A customer's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// The ledger account.
    pub account: Account,
    /// Data beside the account.
    pub profile: Profile,
}

impl Wallet {
    /// Returns the owner of the wallet.
    pub fn customer(&self) -> &CustomerId {
        self.account.id.customer()
    }
}

impl Outcome for Wallet {
    fn request(&self) -> Option<&RequestId> {
        Some(&self.account.opening.request)
    }
}

/// A wallet as loaded.
#[derive(Clone, Debug)]
pub struct LoadedWallet {
    /// The account, with its due holds.
    pub loaded: LoadedAccount,
    /// Data beside the account.
    pub profile: Profile,
}

impl LoadedWallet {
    /// Returns the wallet at `now`, in which everything that has fallen due is posted.
    pub fn settled(&self, now: Timestamp) -> Result<Wallet, Rejection> {
        let account = self.loaded.settled(now)?.account;
        Ok(Wallet { account, profile: self.profile.clone() })
    }
}
