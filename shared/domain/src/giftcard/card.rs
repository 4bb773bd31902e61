//! Cards, and the lines of files that contain cards and redemption codes.
//!
//! **Invariant:** a line is either accepted as it is or refused with a reason that repeats nothing
//! of it.
//! **Invariant:** the content of a line is not printed.

use super::code::{RedemptionCode, is_error_value, is_scientific, plain};
use super::{CardSource, Sealed};
use crate::ids::budget::{AccountId, BrandId, CardId, CodeId, PoolId};
use crate::money::{Amount, Money};
use crate::parse::ParseError;
use crate::time::{Date, Timestamp, parse_date};
use std::collections::BTreeMap;
use std::fmt;

/// A secret part of a card; each is sealed separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Code to redeem.
    Code,
    /// Number printed on the card.
    Number,
    /// PIN of the card.
    Pin,
    /// URL at which it can be redeemed.
    Url,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 4] = [Self::Code, Self::Number, Self::Pin, Self::Url];

    /// Returns the column name, which is also the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Number => "number",
            Self::Pin => "pin",
            Self::Url => "url",
        }
    }
}

/// A card in plain text, kept only until it is sealed or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCard {
    /// Parts in plain text.
    pub parts: BTreeMap<Part, String>,
    /// Last date on which it is valid; None if it does not expire.
    pub expires_on: Option<Date>,
}

impl fmt::Debug for PlainCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainCard(…)")
    }
}

impl PlainCard {
    /// Returns what identifies the card: its code, else its number, else its PIN together with its
    /// URL (many cards of a product may share a URL), else its URL.
    pub fn identity(&self) -> Option<String> {
        let part = |part| self.parts.get(&part).cloned();
        match (part(Part::Code).or_else(|| part(Part::Number)), part(Part::Pin), part(Part::Url)) {
            (Some(code), ..) => Some(code),
            (None, Some(pin), url) => Some(format!("{pin}|{}", url.unwrap_or_default())),
            (None, None, url) => url,
        }
    }
}

/// A card as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Keyed digest of what identifies it.
    pub id: CardId,
    /// Brand of the card.
    pub brand: BrandId,
    /// Face value.
    pub denomination: Money,
    /// Pool that it was put into, if any.
    pub pool: Option<PoolId>,
    /// Where it came from.
    pub source: CardSource,
    /// Sealed parts.
    pub parts: BTreeMap<Part, Sealed>,
    /// Last date on which it is valid; None if it does not expire.
    pub expires_on: Option<Date>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A free card and its place, so that it can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeCard {
    /// Card that is free.
    pub card: CardId,
    /// Pool that it is in.
    pub pool: PoolId,
    /// Shard of the pool.
    pub shard: u8,
    /// Last date on which it is valid; None if it does not expire.
    pub expires_on: Option<Date>,
    /// Purchase cost.
    pub cost: Money,
    /// Kind of the pool.
    pub source: CardSource,
}

/// Returns true for a cell that a spreadsheet would read as a formula (OWASP, "CSV Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

const NO_VALUE: ParseError = ParseError("is an error value of a spreadsheet, not a code");

fn part(text: &str, least: usize) -> Result<String, ParseError> {
    let text = plain(text);
    if is_formula(&text) {
        return Err(ParseError("starts like a formula"));
    }
    if is_error_value(&text) {
        return Err(NO_VALUE);
    }
    if is_scientific(&text) {
        return Err(ParseError(
            "is a number in scientific notation: format this column as text in the spreadsheet",
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

/// Why a line of a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{column} {error}")]
pub struct CellError {
    /// Name of the column.
    pub column: &'static str,
    /// What is wrong with its text.
    pub error: ParseError,
}

fn in_column(column: &'static str) -> impl Fn(ParseError) -> CellError {
    move |error| CellError { column, error }
}

/// Parses a line of a file of cards; `cell` returns the text of a column.
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

/// A redemption code to register.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCode {
    /// Code to register.
    pub code: RedemptionCode,
    /// Brand of the card.
    pub brand: BrandId,
    /// Face value of the card.
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

/// A redemption code as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Keyed digest of the code.
    pub id: CodeId,
    /// Campaign that it belongs to.
    pub campaign: AccountId,
    /// Brand of the card.
    pub brand: BrandId,
    /// Face value of the card.
    pub denomination: Money,
    /// When it was registered.
    pub at: Timestamp,
}

/// Parses a line of a file of redemption codes; `cell` returns the text of a column.
pub fn read_code_line(cell: impl Fn(&'static str) -> Option<String>) -> Result<PlainCode, CellError> {
    let text = |name| cell(name).map(|text: String| plain(&text)).unwrap_or_default();
    let code = text("code");
    // A dash at the beginning is not part of a code.
    if is_formula(code.trim_start_matches(['-', ' '])) {
        return Err(CellError { column: "code", error: ParseError("starts like a formula") });
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
