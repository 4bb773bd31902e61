//! Ids created by the ledger: those of entries and holds.
//!
//! **Invariant:** an id created here is a function of its cause, so a retry creates the same id.

use super::account::{AccountKind, AccountRef};
use super::caller::CustomerId;
use super::cause::Cause;
use super::text::text_id;
use crate::fingerprint::fingerprint_by_display;
use crate::hash::Hash;
use crate::parse::ParseError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

text_id! {
    /// A ledger entry as callers see it: `txn_<seq>_<hash>`; the number locates the entry in its
    /// account.
    TransactionId
}

impl TransactionId {
    /// Returns the id of the entry with this number and cause.
    pub fn of(account: &AccountRef, seq: u64, cause: &Cause) -> Self {
        let seed = account.id_seed();
        Self(format!("txn_{seq}_{}", Hash::of(format!("{seed}|{seq}|{cause}")).prefix(10)))
    }

    /// Parses an id from a path; also returns the entry's number, by which the entry is read.
    pub fn parse(text: &str) -> Result<(Self, u64), ParseError> {
        const SHAPE: ParseError = ParseError("is not a transaction id");
        let rest = text.strip_prefix("txn_").ok_or(SHAPE)?;
        let (seq, hash) = rest.split_once('_').ok_or(SHAPE)?;
        if hash.len() != 20 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SHAPE);
        }
        let number = seq.parse::<u64>().map_err(|_| SHAPE)?;
        Ok((Self(text.to_owned()), number))
    }

    /// Wraps a stored id.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A hold. Its text contains the account, so that `/holds/{hold_id}` finds the wallet:
/// `hold_<customer>.<hash>` for a wallet, `lock_<customer>.<hash>` for points; the customer id is
/// encoded as base64url.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId {
    text: String,
    account: AccountRef,
}

fn hold_prefix(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Wallet => "hold_",
        AccountKind::Points => "lock_",
    }
}

impl HoldId {
    /// Returns the id of the hold that this cause places.
    pub fn mint(account: &AccountRef, cause: &Cause) -> Self {
        let (prefix, place) = (hold_prefix(account.kind), URL_SAFE_NO_PAD.encode(account.id.as_str()));
        let hash = Hash::of(format!("{}|{cause}", account.id_seed()));
        Self { text: format!("{prefix}{place}.{}", hash.prefix(10)), account: account.clone() }
    }

    /// Parses the id of a hold on a wallet, from a path or a stored item.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_of(AccountKind::Wallet, text)
    }

    /// Parses the id of a hold on this kind of account.
    pub fn parse_of(kind: AccountKind, text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not a hold id");
        let (place, tail) =
            text.strip_prefix(hold_prefix(kind)).and_then(|t| t.split_once('.')).ok_or(SHAPE)?;
        if tail.len() != 20 || !tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(SHAPE);
        }
        let customer = URL_SAFE_NO_PAD.decode(place).map_err(|_| SHAPE)?;
        let customer = String::from_utf8(customer).map_err(|_| SHAPE)?;
        let id = CustomerId::parse(&customer).map_err(|_| SHAPE)?;
        Ok(Self { text: text.to_owned(), account: AccountRef { kind, id } })
    }

    /// Parses a stored id of a hold on any kind of account.
    pub fn parse_stored(text: &str) -> Result<Self, ParseError> {
        let kind = AccountKind::ALL.into_iter().find(|kind| text.starts_with(hold_prefix(*kind)));
        Self::parse_of(kind.unwrap_or(AccountKind::Wallet), text)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the account on which the hold is placed.
    pub fn account(&self) -> &AccountRef {
        &self.account
    }

    /// Returns the owner of that account.
    pub fn customer(&self) -> &CustomerId {
        &self.account.id
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fingerprint_by_display!(HoldId);
