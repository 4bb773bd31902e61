//! Law of wallets: the referral code that a wallet shows is registered as its customer's.
//!
//! **Invariant:** a wallet without its code is a difference, as is a code without its wallet.

use crate::ids::ReferralCode;
use crate::ledger::audit::AccountAudit;
use crate::wallet::profile::Profile;

/// Compares a wallet's profile with the code that is registered as its customer's.
pub fn compare(audit: &mut AccountAudit<'_>, profile: Option<&Profile>, registered: Option<&ReferralCode>) {
    if audit.folded.is_some() && profile.map(|profile| &profile.referral_code) != registered {
        audit.differ(None, "its referral code is not registered as this customer's");
    }
}
