//! Ids of loyalty: bookings, payments and refunds of the caller's systems, and what is created here.
//!
//! **Invariant:** an id created here is a function of its cause, so a retry creates the same id.

use super::budget::CardId;
use super::caller::{CustomerId, OrderId};
use super::cause::Cause;
use super::ledger::HoldId;
use super::text::{caller_id, text_id};
use crate::fingerprint::fingerprint_by_display;
use crate::hash::Hash;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use std::fmt;

macro_rules! caller_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            text_id! { $(#[$doc])* $name }

            impl $name {
                /// Parses a caller's id, or a stored one.
                pub fn parse(text: &str) -> Result<Self, ParseError> {
                    caller_id(text).map(|id| Self(id.to_owned()))
                }
            }
        )*
    };
}

caller_ids! {
    /// A booking of the caller's system; for customers who redeem points, an order.
    BookingId;
    /// A payment of the caller's system.
    PaymentId;
    /// A refund of the caller's system.
    RefundId;
    /// A line of a purchase, a product or a category.
    LineId;
}

macro_rules! minted_ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {
        $(
            $crate::ids::text::text_id! { $(#[$doc])* $name }

            impl $name {
                /// Returns the id of what this cause creates.
                pub fn mint(cause: &$crate::cause::Cause) -> Self {
                    let hash = $crate::hash::Hash::of(format!(concat!($prefix, "|{}"), cause));
                    Self(format!(concat!($prefix, "{}"), hash.prefix(10)))
                }

                /// Parses an id from a path, a body or a stored item.
                pub fn parse(text: &str) -> Result<Self, $crate::parse::ParseError> {
                    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                    let hash = text.strip_prefix($prefix).filter(|hash| hash.len() == 20 && hash.bytes().all(is_hex));
                    let wrong = $crate::parse::ParseError(concat!("must begin with ", $prefix));
                    hash.map(|_| Self(text.to_owned())).ok_or(wrong)
                }
            }
        )*
    };
}

pub(crate) use minted_ids;

minted_ids! {
    /// A campaign of the loyalty program.
    LoyaltyCampaignId "cmp_";
    /// A voucher that customers buy with points.
    VoucherId "vch_";
    /// A bought voucher.
    VoucherPurchaseId "vbuy_";
    /// A reward that customers claim.
    RewardId "rwd_";
}

impl VoucherPurchaseId {
    /// Returns the id of what this cause buys for a customer; the same key of two customers is of two purchases.
    pub fn of(user: &CustomerId, cause: &Cause) -> Self {
        Self(format!("vbuy_{}", Hash::of(format!("vbuy|{user}|{cause}")).prefix(10)))
    }
}

/// What a purchase is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PurchaseId {
    /// A booking.
    Booking(BookingId),
    /// A payment without a booking.
    Payment(PaymentId),
}

impl PurchaseId {
    /// Parses the text used in keys.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text.split_once(':') {
            Some(("b", id)) => BookingId::parse(id).map(Self::Booking),
            Some(("p", id)) => PaymentId::parse(id).map(Self::Payment),
            Some(_) | None => Err(ParseError("is not a purchase")),
        }
    }

    /// Returns the contract's word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Booking(_) => "booking",
            Self::Payment(_) => "payment",
        }
    }

    /// Returns the caller's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Booking(id) => id.as_str(),
            Self::Payment(id) => id.as_str(),
        }
    }
}

impl fmt::Display for PurchaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booking(id) => write!(f, "b:{id}"),
            Self::Payment(id) => write!(f, "p:{id}"),
        }
    }
}

fingerprint_by_display!(BookingId, PaymentId, RefundId, PurchaseId, LoyaltyCampaignId, RewardId, VoucherId);

serde_by_text! {
    BookingId: ToString::to_string, BookingId::parse;
    PaymentId: ToString::to_string, PaymentId::parse;
    RefundId: ToString::to_string, RefundId::parse;
    LineId: ToString::to_string, LineId::parse;
    LoyaltyCampaignId: ToString::to_string, LoyaltyCampaignId::parse;
    RewardId: ToString::to_string, RewardId::parse;
    VoucherId: ToString::to_string, VoucherId::parse;
    VoucherPurchaseId: ToString::to_string, VoucherPurchaseId::parse;
    HoldId: ToString::to_string, HoldId::parse_stored;
    CustomerId: ToString::to_string, CustomerId::parse;
    OrderId: ToString::to_string, OrderId::parse_stored;
    CardId: ToString::to_string, |text| Ok(CardId::of(text));
}
