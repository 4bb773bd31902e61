//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::account::Status;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::decide::create::CreateWallet;
use domain::decide::credit::{AddCredits, Expiry};
use domain::decide::debit::DeductCredits;
use domain::decide::holds::{CaptureHold, PlaceHold, ReleaseHold};
use domain::decide::refund::Refund;
use domain::decide::status::SetStatus;
use domain::decide::transfer::Transfer;
use domain::ids::{CustomerId, HoldId, OrderId};
use domain::lot::Source;
use domain::parse::ParseError;
use domain::rejection::Rejection;
use domain::text::{FreeText, Metadata};
use edge::{App, Ask, Problem, json};

/// How long a hold lasts unless the caller says otherwise: seven days.
const HOLD_TTL_SECONDS: u32 = 604_800;

/// A century: what a caller may ask for and still be understood.
const MAX_EXPIRY_DAYS: u32 = 36_500;

fn cause(ask: &Ask, operation: Operation) -> Result<Cause, Problem> {
    Ok(Cause::of_request(operation, ask.key()?.as_ref(), ask.request()))
}

pub(crate) fn create(ask: &Ask, app: &App) -> Result<CreateWallet, Problem> {
    let mut fields = ask.fields()?;
    let customer = fields.required("customer_id", json::of(CustomerId::parse));
    let initial_balance = fields.optional("initial_balance", json::amount);
    let currency = fields.optional("currency", json::of(Currency::parse));
    let metadata = fields.optional("metadata", json::metadata);
    let ours =
        |pairs: &Metadata| ["referral_code", "referral_count"].iter().any(|n| pairs.pairs().contains_key(*n));
    if metadata.as_ref().is_some_and(ours) {
        fields.offend("metadata", "must not name referral_code or referral_count");
    }
    let currency = currency.unwrap_or(app.policy.currency());
    if initial_balance.is_some_and(|amount| amount.in_currency(currency).is_none()) {
        fields.offend("initial_balance", "has more digits than the currency");
    }
    fields.finish()?;
    Ok(CreateWallet {
        customer: customer?,
        initial_balance,
        currency,
        metadata: metadata.unwrap_or_default(),
        cause: cause(ask, Operation::Create)?,
    })
}

pub(crate) fn add_credits(ask: &Ask) -> Result<AddCredits, Problem> {
    let customer = ask.customer()?;
    let mut fields = ask.fields()?;
    let amount = fields.required("amount", json::amount);
    let reason = fields.optional("reason", json::free_text);
    let source = fields.optional("source", json::of(Source::parse)).unwrap_or(Source::Manual);
    let detail = "must be a whole number of days from 1 to 36500";
    let days = fields.optional("expiry_days", json::whole(1, MAX_EXPIRY_DAYS, detail));
    let date = fields.optional("expires_on", json::date);
    let order_id = fields.optional("order_id", json::of(OrderId::parse));
    let metadata = fields.optional("metadata", json::metadata);
    if source == Source::Topup {
        fields.offend("source", "is reserved for captured payments");
    }
    let expiry = match (days, date) {
        (None, None) => Expiry::ByTier,
        (Some(days), None) => Expiry::Days(days),
        (None, Some(date)) => Expiry::On(date),
        (Some(_), Some(_)) => {
            fields.offend("expires_on", "cannot be combined with expiry_days");
            Expiry::ByTier
        }
    };
    fields.finish()?;
    let metadata = metadata.unwrap_or_default();
    let cause = cause(ask, Operation::AddCredits)?;
    Ok(AddCredits { customer, amount: amount?, reason, source, expiry, order_id, metadata, cause })
}

pub(crate) fn deduct_credits(ask: &Ask) -> Result<DeductCredits, Problem> {
    let customer = ask.customer()?;
    let mut fields = ask.fields()?;
    let amount = fields.required("amount", json::amount);
    let reason = fields.optional("reason", json::free_text);
    let order_id = fields.optional("order_id", json::of(OrderId::parse));
    fields.finish()?;
    let cause = cause(ask, Operation::DeductCredits)?;
    Ok(DeductCredits { customer, amount: amount?, reason, order_id, cause })
}

pub(crate) fn refund(ask: &Ask) -> Result<Refund, Problem> {
    let customer = ask.customer()?;
    let mut fields = ask.fields()?;
    let amount = fields.required("amount", json::amount);
    let order_id = fields.required("order_id", json::of(OrderId::parse));
    let reason = fields.optional("reason", json::free_text);
    fields.finish()?;
    let cause = cause(ask, Operation::Refund)?;
    Ok(Refund { customer, amount: amount?, order_id: order_id?, reason, cause })
}

/// The sender, and the transfer unless it is to itself (which is only said to who may transfer).
pub(crate) fn transfer(ask: &Ask) -> Result<(CustomerId, Result<Transfer, Rejection>), Problem> {
    let from = ask.customer()?;
    let mut fields = ask.fields()?;
    let to = fields.required("to_customer_id", json::of(CustomerId::parse));
    let amount = fields.required("amount", json::amount);
    let reason = fields.optional("reason", json::free_text);
    fields.finish()?;
    let cause = cause(ask, Operation::Transfer)?;
    let transfer = Transfer::try_new((from.clone(), to?), amount?, reason, cause);
    Ok((from, transfer))
}

pub(crate) fn place_hold(ask: &Ask) -> Result<PlaceHold, Problem> {
    let customer = ask.customer()?;
    let mut fields = ask.fields()?;
    let amount = fields.required("amount", json::amount);
    let reason = fields.optional("reason", json::free_text);
    let order_id = fields.optional("order_id", json::of(OrderId::parse));
    let detail = "must be a whole number of seconds from 60 to 2678400";
    let ttl = fields.optional("expires_in_seconds", json::whole(60, 2_678_400, detail));
    fields.finish()?;
    let ttl_seconds = ttl.unwrap_or(HOLD_TTL_SECONDS);
    let cause = cause(ask, Operation::Hold)?;
    Ok(PlaceHold { customer, amount: amount?, reason, order_id, ttl_seconds, cause })
}

/// The hold that the path names; what is no hold id names none.
pub(crate) fn hold_id(ask: &Ask) -> Result<HoldId, Problem> {
    ask.actor()?;
    ask.path("hold_id", HoldId::parse).map_err(|_| Problem::hold_not_found())
}

pub(crate) fn capture(ask: &Ask) -> Result<CaptureHold, Problem> {
    let hold = hold_id(ask)?;
    let mut fields = ask.fields()?;
    let amount = fields.optional("amount", json::amount);
    let is_final = fields.optional("final", json::boolean).unwrap_or(true);
    fields.finish()?;
    Ok(CaptureHold { hold, amount, is_final, cause: cause(ask, Operation::Capture)? })
}

pub(crate) fn release(ask: &Ask) -> Result<ReleaseHold, Problem> {
    let hold = hold_id(ask)?;
    ask.fields()?.finish()?;
    Ok(ReleaseHold { hold, cause: cause(ask, Operation::Release)? })
}

pub(crate) fn set_status(ask: &Ask, status: Status) -> Result<SetStatus, Problem> {
    let customer = ask.customer()?;
    let mut fields = ask.fields()?;
    let said = |text: &str| match text.trim() {
        "" => Err(ParseError("must not be empty")),
        _ => FreeText::parse(text),
    };
    let reason = fields.required("reason", json::of(said));
    fields.finish()?;
    // Setting a status twice sets it once, so a key is not needed; one that is no key is a mistake all the same.
    ask.key()?;
    Ok(SetStatus { customer, status, reason: reason? })
}
