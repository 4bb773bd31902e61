//! A purchase as a caller reports it: what was charged in money, for which products.
//!
//! **Invariant:** the lines of a purchase sum to its amount and have different ids; there are 1 to 100.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most lines of a purchase.
pub const MAX_LINES: usize = 100;

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LineKind {
    /// Goods or services.
    Goods,
    /// Delivery.
    Shipping,
    /// A tax.
    Tax,
    /// A fee.
    Fee,
    /// A gift card.
    GiftCard,
    /// Anything else.
    Other,
}

impl LineKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Goods, Self::Shipping, Self::Tax, Self::Fee, Self::GiftCard, Self::Other];

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or(ParseError("must be one of goods, shipping, tax, fee, gift_card, other"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Goods => "goods",
            Self::Shipping => "shipping",
            Self::Tax => "tax",
            Self::Fee => "fee",
            Self::GiftCard => "gift_card",
            Self::Other => "other",
        }
    }
}

/// A line of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Id within the purchase, by which refunds name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// The product's categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// What it is for.
    pub kind: LineKind,
    /// What was charged for it; zero for a gift.
    pub amount: Money,
}

impl Line {
    /// Returns a line of goods of this amount.
    pub fn goods(amount: Money) -> Self {
        Self { line_id: None, product_id: None, categories: vec![], kind: LineKind::Goods, amount }
    }
}

/// Products and categories that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// Ids of products.
    pub product_ids: BTreeSet<String>,
    /// Categories of products.
    pub categories: BTreeSet<String>,
}

impl Products {
    /// Returns true if no product and no category is named.
    pub fn is_empty(&self) -> bool {
        self.product_ids.is_empty() && self.categories.is_empty()
    }

    /// Returns true if the line's product or one of its categories is named.
    pub fn names(&self, line: &Line) -> bool {
        line.product_id.as_ref().is_some_and(|product| self.product_ids.contains(product))
            || line.categories.iter().any(|category| self.categories.contains(category))
    }
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// What was charged in money; what points or coupons paid is not in it.
    pub amount: Money,
    /// Its currency.
    pub currency: Currency,
    /// Its lines; one line of goods if none were reported.
    lines: Vec<Line>,
    /// What a coupon has taken off, which is not part of the amount.
    pub coupon_discount: Money,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl Purchase {
    /// Creates a purchase; without lines, all of it is one line of goods.
    pub fn try_new(
        amount: Money,
        currency: Currency,
        lines: Vec<Line>,
        coupon_discount: Money,
        occurred_at: Timestamp,
    ) -> Result<Self, ParseError> {
        let lines = if lines.is_empty() { vec![Line::goods(amount)] } else { lines };
        if lines.len() > MAX_LINES {
            return Err(ParseError("must be at most 100 lines"));
        }
        let ids: Vec<&String> = lines.iter().filter_map(|line| line.line_id.as_ref()).collect();
        if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
            return Err(ParseError("must have different line_ids"));
        }
        if Money::checked_sum(lines.iter().map(|line| line.amount)) != Some(amount) {
            return Err(ParseError("must sum to the amount"));
        }
        Ok(Self { amount, currency, lines, coupon_discount, occurred_at })
    }

    /// Returns the lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}
