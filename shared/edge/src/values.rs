//! Values that the callers of several functions send.
//!
//! **Invariant:** every number is read exactly as it was written.

use crate::input::{Input, List, Text};
use crate::json::RawJson;
use crate::schema;
use domain::currency::Currency;
use domain::ids::LineId;
use domain::loyalty::numbers::{MAX_POINTS, Points};
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An amount that may be zero.
#[derive(Clone, Copy, Debug)]
pub struct AmountOrZero(pub Option<Amount>);

impl AmountOrZero {
    /// Returns the amount, if it has no more decimal places than the currency.
    pub fn in_currency(self, currency: Currency) -> Option<Money> {
        self.0.map_or(Some(Money::ZERO), |amount| amount.in_currency(currency))
    }
}

/// Returns true for a number that is zero.
fn is_zero(text: &str) -> bool {
    let text = text.trim_matches('"');
    let digits = text.strip_prefix("0.").unwrap_or(text);
    !digits.is_empty()
        && digits.len() <= 4
        && digits.bytes().all(|b| b == b'0')
        && (text == "0" || text.starts_with("0."))
}

impl Input for AmountOrZero {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        if is_zero(raw.get()) { Ok(Self(None)) } else { Amount::read(raw).map(|amount| Self(Some(amount))) }
    }

    fn schema() -> Value {
        json!({"anyOf": [schema::amount_from(0), {"type": "string", "pattern": r"^0(\.0{1,4})?$"}]})
    }
}

/// Points of a request: a whole JSON number from 1 to 10^12.
#[derive(Clone, Copy, Debug)]
pub struct PointsInput(pub Points);

impl Input for PointsInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        Points::parse(raw.get()).map(Self)
    }

    fn schema() -> Value {
        schema::whole(1, MAX_POINTS)
    }
}

/// An instant; one outside the years 1970 to 9999 is the first or last one in them.
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub Timestamp);

impl Text for Instant {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Timestamp::parse_clamped(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date-time"})
    }
}

/// The id of a product or a category.
#[derive(Clone, Debug)]
pub struct ProductName(pub LineId);

impl Text for ProductName {
    fn parse(text: &str) -> Result<Self, ParseError> {
        LineId::parse(text).map(Self)
    }

    fn schema() -> Value {
        caller_id("product_1")
    }
}

/// Describes an id that callers choose.
pub fn caller_id(example: &str) -> Value {
    let not = schema::one_of_words(&[".", ".."]);
    let bounds = json!({"minLength": 1, "maxLength": 128, "not": not, "examples": [example]});
    schema::with(schema::pattern(domain::ids::CALLER_ID_PATTERN), bounds)
}

/// Returns the products and categories of a list, each once.
pub fn names<const MAX: usize>(list: Option<List<ProductName, 0, MAX>>) -> BTreeSet<LineId> {
    list.map(|list| list.0.into_iter().map(|name| name.0).collect()).unwrap_or_default()
}
