//! Attributes: writes domain values into items and reads them back.
//!
//! **Invariant:** money is a DynamoDB number, written from and read into an exact decimal. An
//! attribute that cannot be read makes the item corrupt; it is never replaced by a default.

use crate::engine::error::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::money::Money;
use domain::parse::ParseError;
use domain::time::{Date, Timestamp, parse_date};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

/// DynamoDB item, or a map inside an item.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn pairs(pairs: &BTreeMap<String, String>) -> AttributeValue {
    AttributeValue::M(pairs.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

/// Builder of an item; absent values are left out.
#[derive(Default)]
pub(crate) struct Attributes(pub(crate) Item);

impl Attributes {
    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn text(self, name: &str, value: impl Display) -> Self {
        self.with(name, text(value))
    }

    pub(crate) fn number(self, name: &str, value: impl Display) -> Self {
        self.with(name, number(value))
    }

    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(crate) fn maybe_map(self, name: &str, value: Option<Attributes>) -> Self {
        match value {
            Some(value) => self.map(value, name),
            None => self,
        }
    }

    pub(crate) fn map(self, value: Attributes, name: &str) -> Self {
        self.with(name, AttributeValue::M(value.0))
    }
}

/// Reader of an item; its errors name the item and the attribute.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    item: &'a Item,
    what: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(item: &'a Item, what: &'a str) -> Self {
        Self { item, what }
    }

    pub(crate) fn corrupt(&self, name: &str) -> StoreError {
        StoreError::Corrupt(format!("{} attribute {name}", self.what))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, StoreError> {
        self.maybe_text(name)?.ok_or_else(|| self.corrupt(name))
    }

    pub(crate) fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, StoreError> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn parse<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Result<T, StoreError> {
        parse(self.text(name)?).map_err(|_| self.corrupt(name))
    }

    pub(crate) fn maybe<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(name)?.map(|text| parse(text).map_err(|_| self.corrupt(name))).transpose()
    }

    pub(crate) fn date(&self, name: &str) -> Result<Option<Date>, StoreError> {
        self.maybe(name, parse_date)
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.parse(name, Timestamp::parse)
    }

    fn digits(&self, name: &str) -> Result<&'a str, StoreError> {
        match self.item.get(name) {
            Some(AttributeValue::N(text)) => Ok(text),
            _ => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn money(&self, name: &str) -> Result<Money, StoreError> {
        let digits = self.digits(name)?;
        let value = digits.parse::<Decimal>().or_else(|_| Decimal::from_scientific(digits));
        value.ok().and_then(|value| Money::try_new(value).ok()).ok_or_else(|| self.corrupt(name))
    }

    pub(crate) fn count(&self, name: &str) -> Result<u64, StoreError> {
        self.digits(name)?.parse().map_err(|_| self.corrupt(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.item.contains_key(name)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        match self.item.get(name) {
            Some(AttributeValue::Bool(flag)) => Ok(*flag),
            _ => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn map(&self, name: &str) -> Result<Option<Reader<'a>>, StoreError> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::M(item)) => Ok(Some(Reader { item, what: self.what })),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn maps(&self, name: &str) -> Result<Vec<(&'a str, Reader<'a>)>, StoreError> {
        let Some(map) = self.map(name)? else { return Ok(vec![]) };
        map.item
            .iter()
            .map(|(key, value)| {
                let item = value.as_m().map_err(|_| self.corrupt(name))?;
                Ok((key.as_str(), Reader { item, what: self.what }))
            })
            .collect()
    }

    pub(crate) fn list(&self, name: &str) -> Result<&'a [AttributeValue], StoreError> {
        match self.item.get(name) {
            None => Ok(&[]),
            Some(AttributeValue::L(list)) => Ok(list),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn readers(&self, name: &str) -> Result<Vec<Reader<'a>>, StoreError> {
        let reader = |value: &'a AttributeValue| {
            let item = value.as_m().map_err(|_| self.corrupt(name))?;
            Ok(Reader { item, what: self.what })
        };
        self.list(name)?.iter().map(reader).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, StoreError> {
        let text =
            |value: &'a AttributeValue| value.as_s().map(String::as_str).map_err(|_| self.corrupt(name));
        self.list(name)?.iter().map(text).collect()
    }

    /// Returns the attribute names of the item or map.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.item.keys().map(String::as_str)
    }

    pub(crate) fn set(&self, name: &str) -> Result<Vec<&'a str>, StoreError> {
        match self.item.get(name) {
            None => Ok(vec![]),
            Some(AttributeValue::Ss(set)) => Ok(set.iter().map(String::as_str).collect()),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::B(bytes)) => Ok(Some(bytes.as_ref().to_vec())),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    pub(crate) fn pairs(&self, name: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let Some(map) = self.map(name)? else { return Ok(BTreeMap::new()) };
        map.item
            .iter()
            .map(|(key, value)| {
                let text = value.as_s().map_err(|_| self.corrupt(name))?;
                Ok((key.clone(), text.clone()))
            })
            .collect()
    }
}
