//! References to ledger accounts: the kind of account and its owner.
//!
//! **Invariant:** the text of an account (`w:cust_1`) is written and parsed only here, so keys,
//! canonical bytes and proofs use the same spelling.
//! **Invariant:** kinds never share a key space: a customer's wallet and points account are
//! separate for any customer id.

use super::caller::CustomerId;
use crate::parse::ParseError;
use std::fmt;

/// What an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// A customer's money.
    Wallet,
    /// A customer's loyalty points.
    Points,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Wallet, Self::Points];

    /// Returns the prefix used in keys and canonical bytes; it is stored, so it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "w",
            Self::Points => "p",
        }
    }
}

/// A reference to a ledger account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef {
    /// What the account holds.
    pub kind: AccountKind,
    /// The owner of the account.
    pub id: CustomerId,
}

impl AccountRef {
    /// Returns the reference to a customer's wallet.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { kind: AccountKind::Wallet, id: customer.clone() }
    }

    /// Returns the reference to a customer's points account.
    pub fn points(customer: &CustomerId) -> Self {
        Self { kind: AccountKind::Points, id: customer.clone() }
    }

    /// Parses the text used in keys.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not an account");
        let (kind, id) = text.split_once(':').ok_or(SHAPE)?;
        let kind = AccountKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(SHAPE)?;
        Ok(Self { kind, id: CustomerId::parse(id)? })
    }

    /// Returns the owner of the account.
    pub fn customer(&self) -> &CustomerId {
        &self.id
    }

    /// Returns the owner, if this is a wallet.
    pub fn wallet_customer(&self) -> Option<&CustomerId> {
        match self.kind {
            AccountKind::Wallet => Some(&self.id),
            AccountKind::Points => None,
        }
    }

    /// Returns the text from which ids of entries and holds are hashed. Wallets existed first, so
    /// theirs is the customer id alone; a customer id never contains `#`, so the seed of another
    /// kind never equals it.
    pub(super) fn id_seed(&self) -> String {
        match self.kind {
            AccountKind::Wallet => self.id.to_string(),
            AccountKind::Points => format!("{}#{}", self.kind.as_str(), self.id),
        }
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}
