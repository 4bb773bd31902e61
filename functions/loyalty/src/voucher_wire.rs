//! Parses requests about vouchers; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use crate::input::{PointsInput, Sent};
use crate::wire::MORE_DIGITS;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::{CustomerId, IdempotencyKey, VoucherId};
use domain::loyalty::numbers::PointValue;
use domain::loyalty::program::TierName;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::text::FreeText;
use domain::time::Timestamp;
use domain::vouchers::bought::VoucherDelivery;
use domain::vouchers::purchase::{BuyVoucher, SendTo};
use domain::vouchers::voucher::{CreateVoucher, VoucherChange, VoucherTerms};
use edge::delivery::{self, DeliveryAddress, DeliveryMethod};
use edge::input::{List, NonBlankText, NumberInput, Text};
use edge::request::Clearable;
use edge::values::Instant;
use edge::{ApiRequest, App, Problem, csv_file, request, schema};
use serde_json::Value;
use std::collections::BTreeSet;
use vault::Vault;

edge::whole_numbers! {
    /// How many of a voucher one customer can buy.
    pub(crate) PerUser(u32): 1 to 1_000_000, "";
    /// Free codes below which an alert is raised.
    pub(crate) Threshold(u32): 0 to 1_000_000, "";
}

/// A status that callers set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetStatus(bool);

impl Text for SetStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "active" => Ok(Self(true)),
            "paused" => Ok(Self(false)),
            _ => Err(ParseError("must be active or paused")),
        }
    }

    fn schema() -> Value {
        schema::words(["active", "paused"])
    }
}

csv_file! {
    /// Codes of a voucher.
    pub(crate) struct CodesOfVoucherFile: ["code", "pin", "url", "expires_on"];
}

request! {
    /// A new voucher.
    pub(crate) struct CreateVoucherRequest {
        /// What it is called.
        name: NonBlankText,
        /// What it is.
        description: Option<FreeText>,
        /// The points that one costs.
        price_points: PointsInput,
        /// What it is worth where it is used.
        face_value: Option<Amount>,
        /// ISO 4217 code of the face value; defaults to the program's currency.
        currency: Option<Currency>,
        /// The tiers whose members may buy it; defaults to all.
        tiers: Option<List<Sent<TierName>, 0, 10>>,
        /// From when it can be bought; defaults to now.
        valid_from: Option<Instant>,
        /// Until when it can be bought; null or absent: it does not end.
        valid_until: Option<Instant>,
        /// How many one customer can buy; null or absent: no limit.
        per_user_limit: Option<NumberInput<PerUser>>,
        /// Free codes below which an alert is raised; an empty stock always raises one.
        low_stock_threshold: Option<NumberInput<Threshold>>,
    }
    check(fields, currency_here: Currency) {
        if face_value.is_some_and(|value| value.in_currency(currency.unwrap_or(currency_here)).is_none()) {
            fields.offend("face_value", MORE_DIGITS);
        }
        if valid_from.zip(valid_until).is_some_and(|(from, until)| until.0 <= from.0) {
            fields.offend("valid_until", "must be after valid_from");
        }
    }
    rules [schema::whole_in_whole_currencies("face_value", true)]
}

request! {
    /// A change of a voucher; omitted fields stay as they are.
    pub(crate) struct ChangeVoucherRequest {
        /// What it is called.
        name: Option<NonBlankText>,
        /// What it is.
        description: Clearable<FreeText>,
        /// The points that one costs, from now on.
        price_points: Option<PointsInput>,
        /// What it is worth where it is used.
        face_value: Clearable<Amount>,
        /// ISO 4217 code of the face value.
        currency: Option<Currency>,
        /// The tiers whose members may buy it; empty: all.
        tiers: Option<List<Sent<TierName>, 0, 10>>,
        /// From when it can be bought.
        valid_from: Option<Instant>,
        /// Until when it can be bought; null: it does not end.
        valid_until: Clearable<Instant>,
        /// How many one customer can buy; null: no limit.
        per_user_limit: Clearable<NumberInput<PerUser>>,
        /// Free codes below which an alert is raised.
        low_stock_threshold: Clearable<NumberInput<Threshold>>,
        /// active or paused
        status: Option<SetStatus>,
    }
}

request! {
    /// The purchase of a voucher.
    pub(crate) struct BuyVoucherRequest {
        /// Who buys it.
        user_id: CustomerId,
        /// The price that the customer was shown; with another price now, nothing is bought.
        expected_price: Option<PointsInput>,
        /// Defaults to `none`.
        delivery_method: Option<DeliveryMethod>,
        /// E-mail address, or telephone number such as +919812345678.
        delivery_address: Option<DeliveryAddress>,
    }
    check(fields) {
        delivery::check(fields, delivery_method.as_ref(), delivery_address.as_ref());
    }
    rules [delivery::rules()]
}

request! {
    /// The refund of a bought voucher.
    pub(crate) struct RefundVoucherRequest {
        /// Reason, as free text; stored permanently.
        reason: NonBlankText,
    }
}

fn names(tiers: Option<List<Sent<TierName>, 0, 10>>) -> BTreeSet<TierName> {
    tiers.into_iter().flat_map(|list| list.0).map(|name| name.0).collect()
}

/// Returns the voucher to add; `point_value` is what a point is worth now.
pub(crate) fn create(
    request: &ApiRequest,
    app: &App,
    (now, point_value): (Timestamp, PointValue),
) -> Result<CreateVoucher, Problem> {
    let currency_here = app.policy.currency();
    let sent = CreateVoucherRequest::read(request.fields()?, currency_here)?;
    let currency = sent.currency.unwrap_or(currency_here);
    let cause = Cause::of_request(Operation::CreateVoucher, request.key()?.as_ref(), request.id());
    let terms = VoucherTerms {
        name: sent.name.0,
        description: sent.description,
        price: sent.price_points.0,
        face_value: sent.face_value.and_then(|value| value.in_currency(currency)),
        currency,
        tiers: names(sent.tiers),
        valid_from: sent.valid_from.map_or(now, |at| at.0),
        valid_until: sent.valid_until.map(|at| at.0),
        per_user_limit: sent.per_user_limit.map(|most| most.0.0),
        low_stock_threshold: sent.low_stock_threshold.map(|least| least.0.0),
    };
    // Without a beginning, the request is the same whenever it is repeated.
    let from = sent.valid_from.map_or(Timestamp::LAST, |at| at.0);
    let named = VoucherTerms { valid_from: from, ..terms.clone() };
    let named = serde_json::to_string(&named).map_err(|_| Problem::internal())?;
    let valid_from = sent.valid_from.map(|at| at.0);
    let price_value = terms.price.value(point_value, currency_here);
    Ok(CreateVoucher { id: VoucherId::mint(&cause), terms, price_value, valid_from, sent: named })
}

/// A change of a voucher, of which the face value is checked against the voucher's currency.
pub(crate) struct SentChange {
    change: VoucherChange,
    face_value: Clearable<Amount>,
}

impl SentChange {
    /// Returns the change of a voucher with these terms; the face value must fit the currency.
    pub(crate) fn of(self, terms: &VoucherTerms) -> Result<VoucherChange, Problem> {
        let currency = self.change.currency.unwrap_or(terms.currency);
        let fits = |value: &Money| value.value().normalize().scale() <= currency.digits();
        if self.face_value.0.is_none() && !terms.face_value.as_ref().is_none_or(fits) {
            return Err(Problem::field("/currency", "has fewer digits than the face value"));
        }
        let exact = |value: Amount| {
            value.in_currency(currency).ok_or_else(|| Problem::field("/face_value", MORE_DIGITS))
        };
        let face_value = self.face_value.0.map(|value| value.map(exact).transpose()).transpose()?;
        Ok(VoucherChange { face_value, ..self.change })
    }
}

pub(crate) fn change(request: &ApiRequest) -> Result<SentChange, Problem> {
    let sent = ChangeVoucherRequest::read(request.some_fields()?)?;
    request.key()?;
    let change = VoucherChange {
        name: sent.name.map(|name| name.0),
        description: sent.description.0,
        price: sent.price_points.map(|price| price.0),
        face_value: None,
        currency: sent.currency,
        tiers: sent.tiers.map(|list| names(Some(list))),
        valid_from: sent.valid_from.map(|at| at.0),
        valid_until: sent.valid_until.0.map(|until| until.map(|at| at.0)),
        per_user_limit: sent.per_user_limit.0.map(|most| most.map(|most| most.0.0)),
        low_stock_threshold: sent.low_stock_threshold.0.map(|least| least.map(|least| least.0.0)),
        is_active: sent.status.map(|status| status.0),
    };
    Ok(SentChange { change, face_value: sent.face_value })
}

fn required_key(request: &ApiRequest) -> Result<IdempotencyKey, Problem> {
    request.key()?.ok_or_else(|| Problem::field("/Idempotency-Key", "is required"))
}

/// A purchase, as sent.
pub(crate) struct SentPurchase {
    pub(crate) user: CustomerId,
    sent: BuyVoucherRequest,
    key: IdempotencyKey,
}

pub(crate) fn purchase(request: &ApiRequest) -> Result<SentPurchase, Problem> {
    let sent = BuyVoucherRequest::read(request.fields()?)?;
    Ok(SentPurchase { user: sent.user_id.clone(), key: required_key(request)?, sent })
}

impl SentPurchase {
    /// Returns the command that buys a voucher; the address goes on sealed only.
    pub(crate) fn of(
        self,
        voucher: VoucherId,
        vault: &Vault,
        request: &ApiRequest,
    ) -> Result<BuyVoucher, Problem> {
        let Self { user, sent, key } = self;
        let cause = Cause::of_request(Operation::BuyVoucher, Some(&key), request.id());
        let id = domain::ids::VoucherPurchaseId::of(&user, &cause);
        let wanted = delivery::wanted(sent.delivery_method, sent.delivery_address);
        let (mut send_to, mut named) = (None, None);
        if let Some((method, address)) = &wanted {
            let sealed = vault.seal_address(id.as_str(), address);
            let digest = vault.address_id(address).ok_or_else(Problem::internal)?;
            named = Some(format!("{}|{digest}", method.as_str()));
            let delivery = VoucherDelivery { method: *method, shown: method.masked(address) };
            send_to = Some(SendTo { delivery, address: sealed.ok_or_else(Problem::internal)? });
        }
        Ok(BuyVoucher {
            user,
            voucher,
            expected_price: sent.expected_price.map(|price| price.0),
            delivery: named,
            send_to,
            cause,
            hint: None,
        })
    }
}

pub(crate) fn refund_reason(request: &ApiRequest) -> Result<FreeText, Problem> {
    let sent = RefundVoucherRequest::read(request.fields()?)?;
    request.key()?;
    Ok(sent.reason.0)
}
