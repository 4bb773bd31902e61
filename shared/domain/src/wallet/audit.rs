//! The law of wallets: the referral code of a wallet is registered for its customer.
//!
//! **Invariant:** a wallet whose code is not registered is a difference, and so is a registered
//! code without its wallet.

use crate::ids::ReferralCode;
use crate::ledger::audit::AccountAudit;
use crate::wallet::profile::Profile;

/// Compares the referral code in a wallet's profile with the code registered for its customer.
pub fn compare(audit: &mut AccountAudit<'_>, profile: Option<&Profile>, registered: Option<&ReferralCode>) {
    if audit.folded.is_some() && profile.map(|profile| &profile.referral_code) != registered {
        audit.record_difference(None, "its referral code is not registered for this customer");
    }
}
