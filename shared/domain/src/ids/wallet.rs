//! Wallet ids and referral codes.
//!
//! **Invariant:** a wallet's id is a function of the customer id, and so is each candidate for the
//! customer's referral code.

use super::caller::CustomerId;
use super::text::text_id;
use crate::hash::Hash;

text_id! {
    /// A wallet as callers see it: `wallet_<hash>`, one for each customer.
    WalletId
}

text_id! {
    /// A code that a customer passes on to friends: eight characters without ambiguous letters or
    /// digits.
    ReferralCode
}

impl WalletId {
    /// Returns the id of a customer's wallet.
    pub fn of(customer: &CustomerId) -> Self {
        Self(format!("wallet_{}", Hash::of(format!("wallet|{customer}")).prefix(10)))
    }
}

impl WalletId {
    /// Returns the id of a customer's points.
    pub fn of_points(customer: &CustomerId) -> Self {
        Self(format!("points_{}", Hash::of(format!("points|{customer}")).prefix(10)))
    }
}

impl ReferralCode {
    /// Returns the `attempt`-th candidate for a customer's code; the first is used unless another
    /// customer has it.
    pub fn mint(customer: &CustomerId, attempt: u32) -> Self {
        const ALPHABET: [char; 32] = [
            'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U',
            'V', 'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7', '8', '9',
        ];
        let hash = Hash::of(format!("referral|{customer}|{attempt}"));
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or('A');
        Self(hash.bytes().iter().take(8).map(letter).collect())
    }

    /// Wraps a stored code.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
