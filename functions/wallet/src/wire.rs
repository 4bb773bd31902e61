//! Parses requests into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::{CustomerId, HoldId, OrderId, RESERVED_CUSTOMER_IDS};
use domain::ledger::account::AccountStatus;
use domain::ledger::lot::CreditSource;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::text::{FreeText, Metadata};
use domain::wallet::create::CreateWallet;
use domain::wallet::credit::{AddCredits, Expiry};
use domain::wallet::debit::DeductCredits;
use domain::wallet::holds::{CaptureHold, PlaceHold, ReleaseHold};
use domain::wallet::refund::RefundOrder;
use domain::wallet::status::SetStatus;
use domain::wallet::transfer::TransferCredits;
use edge::input::{
    CallersSource, ExpiryDate, ExpiryDays, HoldSeconds, Input, NonBlankText, NumberInput, Text,
};
use edge::paths::HoldPath;
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};

/// Default lifetime of a hold, in seconds: seven days.
const HOLD_TTL_SECONDS: u32 = 604_800;

/// Metadata names that the platform sets; callers must not.
const OWN_METADATA: [&str; 3] = ["referral_code", "referral_count", "total_purchases_eligible"];

/// Metadata of a new wallet, without the names in [`OWN_METADATA`].
pub(crate) struct WalletMetadata(Metadata);

impl Input for WalletMetadata {
    fn read(raw: edge::json::RawJson<'_>) -> Result<Self, domain::parse::ParseError> {
        let metadata = Metadata::read(raw)?;
        if OWN_METADATA.iter().any(|name| metadata.pairs().contains_key(*name)) {
            return Err(domain::parse::ParseError(
                "must not name referral_code, referral_count or total_purchases_eligible",
            ));
        }
        Ok(Self(metadata))
    }

    fn schema() -> Value {
        schema::metadata(&OWN_METADATA)
    }
}

/// Customer other than the one in the path; that they differ is checked when the transfer is
/// decided.
pub(crate) struct OtherCustomerId(CustomerId);

/// Pattern of an id, split by its first character. JSON Schema cannot require two values to differ.
/// Because the first alternative differs from that of the path's pattern, generators seldom produce
/// the same id for both.
const OTHER_ID_PATTERN: &str = "^([A-Z][A-Za-z0-9._:@|+=~-]{0,127}|[a-z][A-Za-z0-9._:@|+=~-]{0,127}|\
                                [._:@|+=~-][A-Za-z0-9._:@|+=~-]{0,127}|[0-9][A-Za-z0-9._:@|+=~-]{0,127})$";

impl Text for OtherCustomerId {
    fn parse(text: &str) -> Result<Self, ParseError> {
        CustomerId::parse(text).map(Self)
    }

    fn schema() -> Value {
        let more = json!({"not": schema::one_of_words(&RESERVED_CUSTOMER_IDS), "examples": ["cust_456"]});
        schema::with(schema::pattern(OTHER_ID_PATTERN), more)
    }
}

request! {
    /// A new wallet.
    pub(crate) struct CreateWalletRequest {
        /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ - | + = ~`; path segments of the API are
        /// reserved.
        customer_id: CustomerId,
        /// Amount of a first CREDIT with source `manual`.
        initial_balance: Option<Amount>,
        /// ISO 4217 code; defaults to the deployment's currency.
        currency: Option<Currency>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<WalletMetadata>,
    }
    check(fields, currency_here: Currency) {
        let currency = currency.unwrap_or(currency_here);
        if initial_balance.is_some_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("initial_balance", "has more digits than the currency");
        }
    }
    rules [schema::whole_in_whole_currencies("initial_balance", true)]
}

request! {
    /// A credit to a wallet.
    pub(crate) struct AddCreditsRequest {
        /// Amount to add, in the wallet's currency.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
        /// Defaults to manual.
        source: Option<CallersSource>,
        /// Days until the credit expires, counted in UTC dates; not together with `expires_on`.
        expiry_days: Option<NumberInput<ExpiryDays>>,
        /// Last date on which the credit can be spent, later than today; not together with
        /// `expiry_days`.
        expires_on: Option<ExpiryDate>,
        /// The order that the credit refers to.
        order_id: Option<OrderId>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<Metadata>,
    }
    check(fields) {
        if fields.is_sent("expiry_days") && fields.is_sent("expires_on") {
            fields.offend("expires_on", "cannot be combined with expiry_days");
        }
    }
    rules [schema::not_both("expiry_days", "expires_on")]
}

request! {
    /// A debit from a wallet.
    pub(crate) struct DeductCreditsRequest {
        /// Amount to spend, in the wallet's currency.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
        /// The order that the debit pays.
        order_id: Option<OrderId>,
    }
}

request! {
    /// A refund of an order to the wallet that paid it.
    pub(crate) struct RefundRequest {
        /// Amount to refund, in the wallet's currency; at most what the wallet paid, minus earlier
        /// refunds.
        amount: Amount,
        /// The order to refund.
        order_id: OrderId,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

request! {
    /// A transfer of credit to another wallet.
    pub(crate) struct TransferRequest {
        /// The recipient; must not be the sender.
        to_customer_id: OtherCustomerId,
        /// Amount to transfer, in the wallet's currency.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

request! {
    /// A hold on credit.
    pub(crate) struct PlaceHoldRequest {
        /// Amount to hold, in the wallet's currency.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
        /// The order that the hold is for.
        order_id: Option<OrderId>,
        /// Seconds until the hold expires; defaults to seven days.
        expires_in_seconds: Option<NumberInput<HoldSeconds>>,
    }
}

request! {
    /// A capture of a hold.
    pub(crate) struct CaptureHoldRequest {
        /// Amount to capture; defaults to the remaining amount.
        amount: Option<Amount>,
        /// If true (default), the rest of the hold is released.
        is_final as "final": Option<bool>,
    }
}

request! {
    /// A change of a wallet's status.
    pub(crate) struct SetStatusRequest {
        /// Reason, as free text; stored permanently.
        reason: NonBlankText,
    }
}

fn cause(request: &ApiRequest, operation: Operation) -> Result<Cause, Problem> {
    Ok(Cause::of_request(operation, request.key()?.as_ref(), request.id()))
}

pub(crate) fn create(request: &ApiRequest, app: &App) -> Result<CreateWallet, Problem> {
    let currency_here = app.policy.currency();
    let sent = CreateWalletRequest::read(request.fields()?, currency_here)?;
    Ok(CreateWallet {
        customer: sent.customer_id,
        initial_balance: sent.initial_balance,
        currency: sent.currency.unwrap_or(currency_here),
        metadata: sent.metadata.map(|metadata| metadata.0).unwrap_or_default(),
        cause: cause(request, Operation::Create)?,
    })
}

pub(crate) fn add_credits(request: &ApiRequest) -> Result<AddCredits, Problem> {
    let customer = request.customer()?;
    let sent = AddCreditsRequest::read(request.fields()?)?;
    let expiry = match (sent.expiry_days, sent.expires_on) {
        (Some(NumberInput(days)), _) => Expiry::Days(days.0),
        (None, Some(date)) => Expiry::On(date.0),
        (None, None) => Expiry::ByTier,
    };
    Ok(AddCredits {
        customer,
        amount: sent.amount,
        reason: sent.reason,
        source: sent.source.map_or(CreditSource::Manual, |source| source.0),
        expiry,
        order_id: sent.order_id,
        metadata: sent.metadata.unwrap_or_default(),
        cause: cause(request, Operation::AddCredits)?,
        currency: None,
    })
}

pub(crate) fn deduct_credits(request: &ApiRequest) -> Result<DeductCredits, Problem> {
    let customer = request.customer()?;
    let DeductCreditsRequest { amount, reason, order_id } = DeductCreditsRequest::read(request.fields()?)?;
    Ok(DeductCredits { customer, amount, reason, order_id, cause: cause(request, Operation::DeductCredits)? })
}

pub(crate) fn refund(request: &ApiRequest) -> Result<RefundOrder, Problem> {
    let customer = request.customer()?;
    let RefundRequest { amount, order_id, reason } = RefundRequest::read(request.fields()?)?;
    Ok(RefundOrder { customer, amount, order_id, reason, cause: cause(request, Operation::Refund)? })
}

/// Parses a transfer; returns the sender and the command.
pub(crate) fn transfer(request: &ApiRequest) -> Result<(CustomerId, TransferCredits), Problem> {
    let from = request.customer()?;
    let sent = TransferRequest::read(request.fields()?)?;
    let cause = cause(request, Operation::Transfer)?;
    let to = sent.to_customer_id.0;
    let transfer =
        TransferCredits { from: from.clone(), to, amount: sent.amount, reason: sent.reason, cause };
    Ok((from, transfer))
}

pub(crate) fn place_hold(request: &ApiRequest) -> Result<PlaceHold, Problem> {
    let customer = request.customer()?;
    let sent = PlaceHoldRequest::read(request.fields()?)?;
    Ok(PlaceHold {
        customer,
        amount: sent.amount,
        reason: sent.reason,
        order_id: sent.order_id,
        ttl_seconds: sent.expires_in_seconds.map_or(HOLD_TTL_SECONDS, |NumberInput(seconds)| seconds.0),
        cause: cause(request, Operation::Hold)?,
    })
}

/// Parses the hold id in the path; text that is not a hold id is answered as an unknown hold.
pub(crate) fn hold_id(request: &ApiRequest) -> Result<HoldId, Problem> {
    request.actor()?;
    request.segment::<HoldPath>().map_err(|_| Problem::hold_not_found())
}

pub(crate) fn capture(request: &ApiRequest) -> Result<CaptureHold, Problem> {
    let hold = hold_id(request)?;
    let CaptureHoldRequest { amount, is_final } = CaptureHoldRequest::read(request.fields()?)?;
    let (is_final, cause) = (is_final.unwrap_or(true), cause(request, Operation::Capture)?);
    Ok(CaptureHold { hold, amount, is_final, cause })
}

pub(crate) fn release(request: &ApiRequest) -> Result<ReleaseHold, Problem> {
    let hold = hold_id(request)?;
    request.fields()?.finish()?;
    Ok(ReleaseHold { hold, cause: cause(request, Operation::Release)? })
}

pub(crate) fn set_status(request: &ApiRequest, status: AccountStatus) -> Result<SetStatus, Problem> {
    let customer = request.customer()?;
    let SetStatusRequest { reason } = SetStatusRequest::read(request.fields()?)?;
    // Setting a status is idempotent, so the key is not used; a malformed key is still an error.
    request.key()?;
    Ok(SetStatus { customer, status, reason: reason.0 })
}
