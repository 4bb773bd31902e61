//! Redemptions of a campaign's codes.
//!
//! **Invariant:** one code of one campaign yields at most one card; a redemption that failed may be
//! tried again.
//! **Invariant:** while the outcome of a supplier's order is unknown, its credit stays reserved and
//! no other supplier is asked.

use super::{CardSource, Sealed, Supplier};
use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::ids::budget::{AccountId, AttemptId, BrandId, CardId, RedemptionId};
use crate::ids::{RecipientId, RequestId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Progress of a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedemptionStatus {
    /// An order was sent to a supplier.
    Pending,
    /// The card belongs to the recipient.
    Issued,
    /// The card was sent to the recipient.
    Delivered,
    /// The supplier rejected the order; the code may be tried again.
    Failed,
}

impl RedemptionStatus {
    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Issued => "ISSUED",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Pending, Self::Issued, Self::Delivered, Self::Failed];
        all.into_iter().find(|status| status.as_str() == text).ok_or(ParseError("is not a status"))
    }
}

/// How a card is sent to its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By e-mail.
    Email,
    /// By SMS.
    Sms,
    /// By WhatsApp.
    Whatsapp,
}

impl Method {
    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// Parses the API's word; `none` means no method.
    pub fn parse(text: &str) -> Result<Option<Self>, ParseError> {
        match text {
            "email" => Ok(Some(Self::Email)),
            "sms" => Ok(Some(Self::Sms)),
            "whatsapp" => Ok(Some(Self::Whatsapp)),
            "none" => Ok(None),
            _ => Err(ParseError("must be one of email, sms, whatsapp, none")),
        }
    }

    /// Checks an address and returns its normal form: an e-mail address, or a telephone number in
    /// international form.
    pub fn address(self, text: &str) -> Result<String, ParseError> {
        let text = text.trim();
        match self {
            Self::Email => {
                let (name, host) = text.split_once('@').unwrap_or_default();
                let plain = text.len() <= 254 && text.bytes().all(|b| (0x21..0x7f).contains(&b));
                let whole = plain && !name.is_empty() && host.contains('.') && !host.contains('@');
                if whole { Ok(text.to_owned()) } else { Err(ParseError("must be an e-mail address")) }
            }
            Self::Sms | Self::Whatsapp => {
                let digits = text.strip_prefix('+').unwrap_or(text);
                let whole = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
                if whole {
                    Ok(format!("+{digits}"))
                } else {
                    Err(ParseError("must be a telephone number such as +919812345678"))
                }
            }
        }
    }

    /// Returns an address as it may be shown: enough to recognize it.
    pub fn masked(self, address: &str) -> String {
        match self {
            Self::Email => {
                let (name, host) = address.split_once('@').unwrap_or_default();
                format!("{}***@{host}", name.chars().next().unwrap_or('*'))
            }
            Self::Sms | Self::Whatsapp => {
                let from = address.len().saturating_sub(3);
                format!("***{}", address.get(from..).unwrap_or_default())
            }
        }
    }
}

/// Where to send a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDelivery {
    /// Method of the delivery.
    pub method: Method,
    /// Masked address that may be shown.
    pub shown: String,
    /// Sealed address.
    pub address: Sealed,
}

/// An order with a supplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierOrder {
    /// Supplier that was asked.
    pub supplier: Supplier,
    /// Supplier's id of the product.
    pub product: String,
    /// When the order was opened.
    pub at: Timestamp,
    /// Number of requests to the supplier that were recorded.
    pub tries: u32,
}

/// A redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// Keyed digest of campaign and code.
    pub id: RedemptionId,
    /// Campaign that the code belongs to.
    pub campaign: AccountId,
    /// Account whose credit paid, or is reserved.
    pub charged: AccountId,
    /// Brand of the card.
    pub brand: BrandId,
    /// Face value of the card.
    pub denomination: Money,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Progress of the redemption.
    pub status: RedemptionStatus,
    /// Where the card came from; None until a card is found.
    pub source: Option<CardSource>,
    /// Purchase cost of the card; None until a card is found.
    pub cost: Option<Money>,
    /// Amount that the budget pays.
    pub amount: Money,
    /// Credit left in the budget afterwards, as far as it was read.
    pub credit_remaining: Money,
    /// Recipient of the card, as the caller names it.
    pub recipient: Option<RecipientId>,
    /// Where to send the card.
    pub delivery: Option<CardDelivery>,
    /// Card that was issued; None until a card is found.
    pub card: Option<CardId>,
    /// Attempt that committed it, or will commit it.
    pub attempt: AttemptId,
    /// Amounts that the attempt reserved, by slice.
    pub takes: BTreeMap<u8, Money>,
    /// Order with a supplier, if one was placed.
    pub order: Option<SupplierOrder>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Actor who requested it.
    pub by: PerformedBy,
    /// Invocation that created it.
    pub request: RequestId,
    /// IP address of the caller.
    pub ip: Option<String>,
    /// User agent of the caller.
    pub user_agent: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the card was issued to the recipient.
    pub issued_at: Option<Timestamp>,
    /// When the sweep checks it next; None if no check is due.
    pub next_check_at: Option<Timestamp>,
}

impl Redemption {
    /// Returns the amount paid minus the cost of the card; negative if the card cost more.
    pub fn profit(&self) -> Option<Decimal> {
        self.amount.value().checked_sub(self.cost?.value())
    }

    /// Returns the reference of its order with the supplier; every attempt is another order.
    pub fn reference(&self) -> String {
        format!("{}.{}", self.id, self.attempt)
    }

    /// Parses the redemption and attempt from a reference.
    pub fn of_reference(text: &str) -> Option<(RedemptionId, AttemptId)> {
        let (id, attempt) = text.split_once('.')?;
        let plain = attempt.len() == 16 && attempt.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| Some((RedemptionId::parse(id).ok()?, AttemptId::stored(attempt))))?
    }
}

serde_by_text! {
    Method: |method| method.as_str().to_owned(),
        |text| Method::parse(text)?.ok_or(ParseError("is not a method"));
}
