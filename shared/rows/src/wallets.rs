//! Rows of `wallets.csv`.
//!
//! **Invariant:** the lots of a row sum to its balance, and none has expired unless such lots are left out.

use crate::cells::{Cells, Named, RefusedRow, amount, until};
use domain::currency::Currency;
use domain::ids::CustomerId;
use domain::jobs::figures::Figures;
use domain::jobs::import_row::WalletRow;
use domain::ledger::account::AccountStatus;
use domain::ledger::lot::CreditSource;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::rejection::ImportRejection;
use domain::text::{FreeText, Metadata};
use domain::time::{Date, Timestamp, parse_date};
use domain::unit::Unit;
use domain::wallet::import::{ImportedLot, MAX_IMPORTED_LOTS, ORIGINAL_CREATED_AT};
use edge::csv::Line;
use std::collections::BTreeMap;

/// Reads a referral code of another system.
fn referral_code(text: &str) -> Result<String, ParseError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_plain && (4..=16).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(ParseError("must be 4 to 16 capital letters and digits"))
    }
}

/// Reads the credit of a wallet: `amount|date or never|source`, joined by `;`.
fn lots(text: &str, digits: u32) -> Result<Vec<ImportedLot>, ParseError> {
    const SHAPE: ParseError = ParseError("must be amount|date or never|source, joined by ;");
    let lot = |text: &str| {
        let mut parts = text.split('|').map(str::trim);
        let (Some(much), Some(date), Some(source), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SHAPE);
        };
        let much = Amount::parse(much)?.with_digits(digits);
        let much = much.ok_or(ParseError("has more digits than the currency"))?;
        Ok(ImportedLot { amount: much, expires_on: until(date)?, source: CreditSource::parse(source)? })
    };
    let lots: Vec<ImportedLot> =
        text.split(';').filter(|text| !text.trim().is_empty()).map(lot).collect::<Result<_, _>>()?;
    if lots.len() > MAX_IMPORTED_LOTS { Err(ParseError("must be at most 90 lots")) } else { Ok(lots) }
}

fn metadata(text: &str) -> Result<Metadata, ParseError> {
    let pairs: Result<BTreeMap<String, String>, _> = serde_json::from_str(text);
    Metadata::try_new(pairs.map_err(|_| ParseError("must be a JSON object of texts"))?)
}

/// Reads the instant, or the date, at which a wallet was opened.
fn created_at(text: &str) -> Result<String, ParseError> {
    let instant = Timestamp::parse(text).map(|instant| instant.to_string());
    instant.or_else(|_| parse_date(text).map(|date| date.to_string()))
}

/// What a line says of a wallet.
pub(crate) struct WalletLine {
    /// The row.
    pub(crate) row: WalletRow,
    /// The tier that it names.
    pub(crate) tier: Option<String>,
}

/// Reads a line; credit that has expired before `today` makes it invalid unless it is left out.
pub(crate) fn read(line: &Line<'_>, today: Date, skip_expired: bool) -> Result<WalletLine, RefusedRow> {
    let mut cells = Cells::new(line);
    let customer = cells.customer("customer_id");
    let currency = cells.required("currency", Currency::parse);
    let digits = currency.map_or(4, Currency::digits);
    let balance = cells.required("balance", |text| amount(text, digits));
    let lots = cells.optional("lots", |text| lots(text, digits));
    let is_readable = lots.is_some() || cells.text("lots").is_none();
    let lots = lots.unwrap_or_default();
    if let Some(balance) = balance.filter(|_| is_readable)
        && Money::checked_sum(lots.iter().map(|lot| lot.amount)) != Some(balance)
    {
        cells.refuse("lots", ImportRejection::LotsDifferFromBalance);
    }
    if !skip_expired && lots.iter().any(|lot| lot.is_expired(today)) {
        cells.refuse("lots", ImportRejection::LotExpired);
    }
    let status = cells.optional("status", |text| {
        AccountStatus::parse(&text.to_ascii_uppercase())
            .map_err(|_| ParseError("must be ACTIVE, FROZEN or SUSPENDED"))
    });
    let tier = cells.optional("tier", |text| FreeText::parse(text).map(|text| text.as_str().to_owned()));
    let referral_code = cells.optional("referral_code", referral_code);
    let count = |text: &str| text.parse::<u64>().ok().filter(|count| *count <= 1_000_000_000);
    let referral_count = cells.optional("referral_count", |text| {
        count(text)
            .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
            .ok_or(ParseError("must be a whole number"))
    });
    let created_at = cells.optional("created_at", created_at);
    let pairs = cells.optional("metadata", metadata).unwrap_or_default();
    let pairs = match created_at {
        Some(at) => {
            let mut all = pairs.pairs().clone();
            all.entry(ORIGINAL_CREATED_AT.to_owned()).or_insert(at);
            // The caller's own pairs were checked without this one.
            Metadata::parse_stored(all).map_err(|error| cells.offend("metadata", error.to_string())).ok()
        }
        None => Some(pairs),
    };
    let figures = Figures::of_row(1, lots.len(), currency.map(Unit::Currency).zip(balance));
    let named_code = referral_code.clone();
    let refused = |(errors, code), customer: Option<CustomerId>| RefusedRow {
        errors,
        code,
        named: Named::customer(customer),
        referral_code: named_code.clone(),
        amount: balance.unwrap_or(Money::ZERO),
        figures: figures.clone(),
    };
    match (cells.finish(), customer, currency, pairs) {
        (Ok(()), Some(customer), Some(currency), Some(metadata)) => {
            let row = WalletRow {
                customer,
                currency,
                lots,
                status: status.unwrap_or(AccountStatus::Active),
                referral_code,
                referral_count: referral_count.unwrap_or(0),
                metadata,
            };
            Ok(WalletLine { row, tier })
        }
        (Err(wrong), customer, ..) => Err(refused(wrong, customer)),
        (Ok(()), customer, ..) => Err(refused((vec![("", "cannot be read".to_owned())], None), customer)),
    }
}
