//! Ids of what the ledger makes: entries and holds.
//!
//! **Invariant:** an id that we mint is a function of what caused it, so a retry mints the same one.

use super::caller::CustomerId;
use super::cause::Cause;
use super::text::text_id;
use crate::hash::Hash;
use crate::parse::ParseError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

text_id! {
    /// A ledger entry as callers see it: `txn_<seq>_<hash>`; the number finds the entry in its account.
    TransactionId
}

impl TransactionId {
    /// The id of the entry with this number and cause.
    pub fn of(customer: &CustomerId, seq: u64, cause: &Cause) -> Self {
        Self(format!("txn_{seq}_{}", Hash::of(format!("{customer}|{seq}|{cause}")).prefix(10)))
    }

    /// Reads an id from a path; gives the entry's number to look it up by.
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

    /// Takes an id that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A hold; its text carries the customer, so that `/holds/{hold_id}` finds the wallet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId {
    text: String,
    customer: CustomerId,
}

impl HoldId {
    /// The id of the hold that this cause makes.
    pub fn mint(customer: &CustomerId, cause: &Cause) -> Self {
        let place = URL_SAFE_NO_PAD.encode(customer.as_str());
        let text = format!("hold_{place}.{}", Hash::of(format!("{customer}|{cause}")).prefix(10));
        Self { text, customer: customer.clone() }
    }

    /// Reads an id from a path or a stored item.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not a hold id");
        let (place, tail) = text.strip_prefix("hold_").and_then(|t| t.split_once('.')).ok_or(SHAPE)?;
        if tail.len() != 20 || !tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(SHAPE);
        }
        let customer = URL_SAFE_NO_PAD.decode(place).map_err(|_| SHAPE)?;
        let customer = String::from_utf8(customer).map_err(|_| SHAPE)?;
        let customer = CustomerId::parse(&customer).map_err(|_| SHAPE)?;
        Ok(Self { text: text.to_owned(), customer })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose wallet holds it.
    pub fn customer(&self) -> &CustomerId {
        &self.customer
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
