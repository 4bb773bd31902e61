//! Cards, and the lines of the files that bring cards and redemption codes.
//!
//! **Invariant:** a line is either taken as it is or refused with a reason that repeats nothing of it.
//! **Invariant:** what a line holds does not print.

use super::code::{RedemptionCode, is_error_value, is_scientific, plain};
use super::{CardSource, Sealed};
use crate::ids::budget::{AccountId, BrandId, CardId, CodeId, PoolId};
use crate::money::{Amount, Money};
use crate::parse::ParseError;
use crate::time::{Date, Timestamp, parse_date};
use std::collections::BTreeMap;
use std::fmt;

/// What is secret about a card, each part for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is redeemed.
    Code,
    /// A number printed on it.
    Number,
    /// Its PIN.
    Pin,
    /// Where it can be redeemed.
    Url,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Code, Self::Number, Self::Pin, Self::Url];

    /// The column and the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Number => "number",
            Self::Pin => "pin",
            Self::Url => "url",
        }
    }
}

/// A card in the clear, for as long as it takes to seal or to show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCard {
    /// Its parts.
    pub parts: BTreeMap<Part, String>,
    /// The last date on which it is worth something.
    pub expires_on: Option<Date>,
}

impl fmt::Debug for PlainCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainCard(…)")
    }
}

impl PlainCard {
    /// What makes it this card and no other: its code, else its number, else its PIN and its address together (many cards
    /// of a product may share an address).
    pub fn identity(&self) -> Option<String> {
        let part = |part| self.parts.get(&part).cloned();
        match (part(Part::Code).or_else(|| part(Part::Number)), part(Part::Pin), part(Part::Url)) {
            (Some(code), ..) => Some(code),
            (None, Some(pin), url) => Some(format!("{pin}|{}", url.unwrap_or_default())),
            (None, None, url) => url,
        }
    }
}

/// A card as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The keyed digest of its code.
    pub id: CardId,
    /// Of which brand.
    pub brand: BrandId,
    /// Its face value.
    pub denomination: Money,
    /// The pool that it was put into, if it was.
    pub pool: Option<PoolId>,
    /// How it came to us.
    pub source: CardSource,
    /// Its parts, sealed.
    pub parts: BTreeMap<Part, Sealed>,
    /// The last date on which it is worth something.
    pub expires_on: Option<Date>,
    /// When it came.
    pub created_at: Timestamp,
}

/// A free card: where it lies, so that it can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeCard {
    /// Which.
    pub card: CardId,
    /// In which pool.
    pub pool: PoolId,
    /// In which shard of it.
    pub shard: u8,
    /// The last date on which it is worth something.
    pub expires_on: Option<Date>,
    /// What it had cost us.
    pub cost: Money,
    /// What kind of pool it is.
    pub source: CardSource,
}

/// A cell that a spreadsheet would take for a formula (OWASP, "CSV Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

const NO_VALUE: ParseError = ParseError("is an error value of a spreadsheet, not a code");

fn part(text: &str, least: usize) -> Result<String, ParseError> {
    let text = plain(text);
    if is_formula(&text) {
        return Err(ParseError("begins as a formula"));
    }
    if is_error_value(&text) {
        return Err(NO_VALUE);
    }
    if is_scientific(&text) {
        return Err(ParseError(
            "is a number in scientific notation: have the spreadsheet keep this column as text",
        ));
    }
    if text.len() < least || text.len() > 500 {
        return Err(ParseError("must be 4 to 500 characters"));
    }
    if text.bytes().any(|b| !(0x20..0x7f).contains(&b)) {
        return Err(ParseError("must be printable ASCII"));
    }
    Ok(text)
}

/// Why a line of a file cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{column} {error}")]
pub struct CellError {
    /// The name of the column.
    pub column: &'static str,
    /// What its text must be.
    pub error: ParseError,
}

fn in_column(column: &'static str) -> impl Fn(ParseError) -> CellError {
    move |error| CellError { column, error }
}

/// Reads a line of a file of cards; `cell` gives the text of a column.
pub fn read_card(cell: impl Fn(&'static str) -> Option<String>, today: Date) -> Result<PlainCard, CellError> {
    let mut parts = BTreeMap::new();
    let code = cell("code").unwrap_or_default();
    if plain(&code).is_empty() {
        return Err(CellError { column: "code", error: ParseError("is required") });
    }
    parts.insert(Part::Code, part(&code, 4).map_err(in_column("code"))?);
    for which in [Part::Number, Part::Pin, Part::Url] {
        let name = which.as_str();
        let Some(text) = cell(name).filter(|text| !plain(text).is_empty()) else { continue };
        let text = part(&text, 1).map_err(in_column(name))?;
        if which == Part::Url && !text.starts_with("https://") {
            return Err(CellError { column: name, error: ParseError("must be an https address") });
        }
        parts.insert(which, text);
    }
    let expires_on = match cell("expires_on").map(|text| plain(&text)).filter(|text| !text.is_empty()) {
        Some(text) => Some(parse_date(&text).map_err(in_column("expires_on"))?),
        None => None,
    };
    if expires_on.is_some_and(|date| date < today) {
        return Err(CellError { column: "expires_on", error: ParseError("has passed") });
    }
    Ok(PlainCard { parts, expires_on })
}

/// A redemption code that is to be registered.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCode {
    /// The code.
    pub code: RedemptionCode,
    /// Of which brand the card is to be.
    pub brand: BrandId,
    /// Its face value.
    pub denomination: Amount,
}

impl fmt::Debug for PlainCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainCode(…)")
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Amount {}

/// A redemption code as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its keyed digest.
    pub id: CodeId,
    /// Of which campaign.
    pub campaign: AccountId,
    /// Of which brand the card is to be.
    pub brand: BrandId,
    /// Its face value.
    pub denomination: Money,
    /// When it was registered.
    pub at: Timestamp,
}

/// Reads a line of a file of redemption codes.
pub fn read_code_line(cell: impl Fn(&'static str) -> Option<String>) -> Result<PlainCode, CellError> {
    let text = |name| cell(name).map(|text: String| plain(&text)).unwrap_or_default();
    let code = text("code");
    // A dash at the beginning is no part of a code.
    if is_formula(code.trim_start_matches(['-', ' '])) {
        return Err(CellError { column: "code", error: ParseError("begins as a formula") });
    }
    if is_error_value(&code) {
        return Err(CellError { column: "code", error: NO_VALUE });
    }
    Ok(PlainCode {
        code: RedemptionCode::parse(&code).map_err(in_column("code"))?,
        brand: BrandId::parse(&text("brand_id")).map_err(in_column("brand_id"))?,
        denomination: Amount::parse(&text("denomination")).map_err(in_column("denomination"))?,
    })
}
