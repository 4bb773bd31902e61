//! JSON values without floating point: reads fields and writes exact numbers.
//!
//! **Invariant:** a number is read and written as decimal text; it never becomes a binary fraction.

use domain::currency::Currency;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::text::Metadata;
use domain::unit::Unit;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

/// An exact JSON number, such as an amount with its currency's number of digits.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Number(Box<RawValue>);

impl Number {
    /// Formats money in major units, such as `300.10` or `5000`.
    pub fn money(money: Money, unit: impl Into<Unit>) -> Self {
        let raw = RawValue::from_string(unit.into().format(money));
        Self(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl Number {
    /// Formats a number with the digits that it has.
    pub fn exact(value: rust_decimal::Decimal) -> Self {
        let raw = RawValue::from_string(value.normalize().to_string());
        Self(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// Formats a difference of money, which may be negative.
    pub fn difference(value: rust_decimal::Decimal, currency: Currency) -> Self {
        let digits = usize::try_from(currency.digits()).unwrap_or(0);
        let raw = RawValue::from_string(format!("{value:.digits$}"));
        Self(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl utoipa::PartialSchema for Number {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Number))
            .description(Some("Money in major units, with exactly the currency's ISO 4217 digits"))
            .examples([serde_json::json!(300)])
            .build();
        utoipa::openapi::RefOr::T(number.into())
    }
}

impl utoipa::ToSchema for Number {
    fn name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
}

/// The members of a JSON object in the order sent, duplicates included.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The raw JSON text of a field.
pub type RawJson<'a> = &'a RawValue;

fn string(raw: RawJson<'_>) -> Result<String, ParseError> {
    serde_json::from_str(raw.get()).map_err(|_| ParseError("must be a string"))
}

/// Reads a number: a JSON number or a decimal string, which `parse` understands.
pub fn decimal<T>(
    parse: impl Fn(&str) -> Result<T, ParseError>,
) -> impl Fn(RawJson<'_>) -> Result<T, ParseError> {
    move |raw| {
        let text = raw.get();
        if text.starts_with('"') { parse(&string(raw)?) } else { parse(text) }
    }
}

/// Reads the members of an object, in the order sent; a name that is sent twice is an error.
pub fn members(raw: RawJson<'_>) -> Result<Vec<(String, RawJson<'_>)>, ParseError> {
    let Members(members) = serde_json::from_str(raw.get()).map_err(|_| ParseError("must be an object"))?;
    let mut names: Vec<&String> = members.iter().map(|(name, _)| name).collect();
    names.sort();
    if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(ParseError("must not contain a name twice"));
    }
    Ok(members)
}

/// Reads an amount: a JSON number or a decimal string.
pub fn amount(raw: RawJson<'_>) -> Result<Amount, ParseError> {
    let text = raw.get();
    if text.starts_with('"') {
        return Amount::parse(&string(raw)?);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Err(ParseError("must be a number or a decimal string"));
    }
    // JSON Schema counts 1.0 as an integer, which a currency without fraction digits must accept.
    Amount::parse(text.strip_suffix(".0").unwrap_or(text))
}

/// Reads the elements of a list.
pub fn items(raw: RawJson<'_>) -> Result<Vec<RawJson<'_>>, ParseError> {
    serde_json::from_str(raw.get()).map_err(|_| ParseError("must be a list"))
}

/// Returns a reader of lists that reads each element with `read`.
pub fn list<T>(
    read: impl Fn(RawJson<'_>) -> Result<T, ParseError>,
) -> impl Fn(RawJson<'_>) -> Result<Vec<T>, ParseError> {
    move |raw| items(raw)?.into_iter().map(&read).collect()
}

/// Reads an object of amounts by denomination, such as `{"25": 24.50}`.
pub fn amounts(raw: RawJson<'_>) -> Result<Vec<(Amount, Amount)>, ParseError> {
    const SHAPE: ParseError = ParseError("must be an object of amounts by denomination");
    let Members(members) = serde_json::from_str(raw.get()).map_err(|_| SHAPE)?;
    members.into_iter().map(|(name, value)| Ok((Amount::parse(&name)?, amount(value)?))).collect()
}

/// Returns a reader of strings that a domain type parses.
pub fn of<T>(parse: impl Fn(&str) -> Result<T, ParseError>) -> impl Fn(RawJson<'_>) -> Result<T, ParseError> {
    move |raw| parse(&string(raw)?)
}

/// Reads `true` or `false`.
pub fn boolean(raw: RawJson<'_>) -> Result<bool, ParseError> {
    serde_json::from_str(raw.get()).map_err(|_| ParseError("must be true or false"))
}

/// Reads an object of strings.
pub fn metadata(raw: RawJson<'_>) -> Result<Metadata, ParseError> {
    let Members(members) =
        serde_json::from_str(raw.get()).map_err(|_| ParseError("must be an object of strings"))?;
    let mut pairs = BTreeMap::new();
    for (name, value) in members {
        let value = string(value).map_err(|_| ParseError("must be an object of strings"))?;
        if pairs.insert(name, value).is_some() {
            return Err(ParseError("must not contain a name twice"));
        }
    }
    Metadata::try_new(pairs)
}
