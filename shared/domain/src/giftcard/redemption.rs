//! What a redemption code of a campaign came to.
//!
//! **Invariant:** one code of one campaign comes to at most one card; a redemption that failed may be tried again.
//! **Invariant:** while a supplier has not said what became of an order, its credit stays set aside and nobody else is
//! asked.

use super::{CardSource, Sealed, Supplier};
use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::ids::budget::{AccountId, AttemptId, BrandId, CardId, RedemptionId};
use crate::ids::{RecipientId, RequestId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// How far a redemption has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedemptionStatus {
    /// A supplier has been asked.
    Pending,
    /// The card is the recipient's.
    Issued,
    /// It was sent to them.
    Delivered,
    /// The supplier has said no; it may be tried again.
    Failed,
}

impl RedemptionStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Issued => "ISSUED",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Pending, Self::Issued, Self::Delivered, Self::Failed];
        all.into_iter().find(|status| status.as_str() == text).ok_or(ParseError("is not a status"))
    }
}

/// How a card is to reach its recipient.
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
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// Reads the contract's word; `none` is no method.
    pub fn parse(text: &str) -> Result<Option<Self>, ParseError> {
        match text {
            "email" => Ok(Some(Self::Email)),
            "sms" => Ok(Some(Self::Sms)),
            "whatsapp" => Ok(Some(Self::Whatsapp)),
            "none" => Ok(None),
            _ => Err(ParseError("must be one of email, sms, whatsapp, none")),
        }
    }

    /// Checks an address: an e-mail address, or a telephone number in international form.
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

    /// An address as it may be shown: enough to know it again.
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

/// Where a card is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDelivery {
    /// How.
    pub method: Method,
    /// Where to, as it may be shown.
    pub shown: String,
    /// Where to, sealed.
    pub address: Sealed,
}

/// An order at a supplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierOrder {
    /// Whom.
    pub supplier: Supplier,
    /// What they call the product.
    pub product: String,
    /// Since when.
    pub at: Timestamp,
    /// How often they were asked.
    pub tries: u32,
}

/// A redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// Its id.
    pub id: RedemptionId,
    /// Of which campaign.
    pub campaign: AccountId,
    /// Whose credit paid, or is set aside.
    pub charged: AccountId,
    /// Of which brand.
    pub brand: BrandId,
    /// The card's face value.
    pub denomination: Money,
    /// In which currency.
    pub currency: Currency,
    /// How far it has come.
    pub status: RedemptionStatus,
    /// Where the card came from; none before there is one.
    pub source: Option<CardSource>,
    /// What the card had cost us; none before there is one.
    pub cost: Option<Money>,
    /// What the budget pays.
    pub amount: Money,
    /// What the budget had left afterwards, as far as was seen.
    pub credit_remaining: Money,
    /// Whom it is for.
    pub recipient: Option<RecipientId>,
    /// Where it is to be sent.
    pub delivery: Option<CardDelivery>,
    /// The card; none before there is one.
    pub card: Option<CardId>,
    /// The attempt that it was, or is to be, committed by.
    pub attempt: AttemptId,
    /// What that attempt has set aside, by slice.
    pub takes: BTreeMap<u8, Money>,
    /// The order at a supplier.
    pub order: Option<SupplierOrder>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Who asked for it.
    pub by: PerformedBy,
    /// The invocation that made it.
    pub request: RequestId,
    /// From which address.
    pub ip: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the card was the recipient's.
    pub issued_at: Option<Timestamp>,
    /// When it is looked at next.
    pub next_check_at: Option<Timestamp>,
}

impl Redemption {
    /// What is left of what the budget paid when the card is paid; below zero, if it had cost more.
    pub fn profit(&self) -> Option<Decimal> {
        self.amount.value().checked_sub(self.cost?.value())
    }

    /// The reference that its supplier is asked under: another attempt is another order.
    pub fn reference(&self) -> String {
        format!("{}.{}", self.id, self.attempt)
    }

    /// The redemption and attempt that a reference names.
    pub fn of_reference(text: &str) -> Option<(RedemptionId, AttemptId)> {
        let (id, attempt) = text.split_once('.')?;
        let plain = attempt.len() == 16 && attempt.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| Some((RedemptionId::parse(id).ok()?, AttemptId::stored(attempt))))?
    }
}
