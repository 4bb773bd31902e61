//! Which account of the ledger is meant: its kind, and the id of whose it is.
//!
//! **Invariant:** the text of an account (`w:cust_1`) is made and read here alone: keys, canonical bytes and proofs spell it alike.

use super::caller::CustomerId;
use crate::parse::ParseError;
use std::fmt;

/// What an account holds value as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// A customer's money.
    Wallet,
}

impl AccountKind {
    /// The prefix in keys and canonical bytes; stored, so it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "w",
        }
    }
}

/// An account of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef {
    /// What it is.
    pub kind: AccountKind,
    /// Whose it is.
    pub id: CustomerId,
}

impl AccountRef {
    /// A customer's wallet.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { kind: AccountKind::Wallet, id: customer.clone() }
    }

    /// Reads the text of a key.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not an account");
        let (kind, id) = text.split_once(':').ok_or(SHAPE)?;
        if kind != AccountKind::Wallet.as_str() {
            return Err(SHAPE);
        }
        Ok(Self { kind: AccountKind::Wallet, id: CustomerId::parse(id)? })
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}
