//! What a wallet has beside its account: the caller's pairs and the referral code.
//!
//! **Invariant:** a wallet's account counts money; its profile moves no value.

use crate::ids::{CustomerId, ReferralCode, RequestId};
use crate::ledger::account::Account;
use crate::ledger::decision::Outcome;
use crate::ledger::posting::LoadedAccount;
use crate::rejection::Rejection;
use crate::text::Metadata;
use crate::time::Timestamp;

/// What only a wallet has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The caller's pairs.
    pub metadata: Metadata,
    /// What the customer hands to friends.
    pub referral_code: ReferralCode,
    /// How many friends came.
    pub referral_count: u64,
}

/// A customer's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Its account.
    pub account: Account,
    /// What only a wallet has.
    pub profile: Profile,
}

impl Wallet {
    /// Whose it is.
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
    /// Its account, with what is due.
    pub loaded: LoadedAccount,
    /// What only a wallet has.
    pub profile: Profile,
}

impl LoadedWallet {
    /// The wallet as it stands at `now`.
    pub fn settled(&self, now: Timestamp) -> Result<Wallet, Rejection> {
        let account = self.loaded.settled(now)?.account;
        Ok(Wallet { account, profile: self.profile.clone() })
    }
}
