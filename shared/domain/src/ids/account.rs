//! Which account of the ledger is meant: its kind, and whose it is.
//!
//! **Invariant:** the text of an account (`w:cust_1`) is made and read here alone: keys, canonical bytes and proofs spell it alike.
//! **Invariant:** kinds never share a key space: a customer's wallet and points stand apart, whatever the customer is called.

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

    /// The prefix in keys and canonical bytes; stored, so it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "w",
            Self::Points => "p",
        }
    }
}

/// An account of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef {
    /// What it holds.
    pub kind: AccountKind,
    /// The customer whose it is.
    pub id: CustomerId,
}

impl AccountRef {
    /// A customer's wallet.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { kind: AccountKind::Wallet, id: customer.clone() }
    }

    /// A customer's loyalty points.
    pub fn points(customer: &CustomerId) -> Self {
        Self { kind: AccountKind::Points, id: customer.clone() }
    }

    /// Reads the text of a key.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not an account");
        let (kind, id) = text.split_once(':').ok_or(SHAPE)?;
        let kind = AccountKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(SHAPE)?;
        Ok(Self { kind, id: CustomerId::parse(id)? })
    }

    /// The customer whose it is.
    pub fn customer(&self) -> &CustomerId {
        &self.id
    }

    /// The customer, if this is a wallet.
    pub fn wallet_customer(&self) -> Option<&CustomerId> {
        match self.kind {
            AccountKind::Wallet => Some(&self.id),
            AccountKind::Points => None,
        }
    }

    /// What ids of entries and holds are hashed from. Wallets came first, so theirs is the bare customer; no customer's
    /// id holds a `#`, so another kind's can never equal it.
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
