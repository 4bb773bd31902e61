//! Parses requests about points and purchases into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use crate::input::{AmountOrZero, LinesInput, PointsInput, Sent};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::{BookingId, CustomerId, PaymentId};
use domain::loyalty::account::GrantTier;
use domain::loyalty::adjust::{AdjustPoints, Direction, TransferPoints};
use domain::loyalty::earn::{EarnPoints, PurchaseReport};
use domain::loyalty::program::TierName;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::text::{FreeText, Metadata};
use domain::time::Date;
use edge::input::{ExpiryDate, ExpiryDays, NonBlankText, NumberInput, Text};
pub(crate) use edge::values::Instant;
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};

pub(crate) const MORE_DIGITS: &str = "has more digits than the currency";

request! {
    /// A purchase that earns points.
    pub(crate) struct EarnRequest {
        /// The booking; this or `payment_id` is required.
        booking_id: Option<Sent<BookingId>>,
        /// The payment.
        payment_id: Option<Sent<PaymentId>>,
        /// What was charged in money.
        amount: Amount,
        /// ISO 4217 code; defaults to the program's currency.
        currency: Option<Currency>,
        /// What was bought; the amounts sum to `amount`.
        lines: Option<LinesInput>,
        /// What a coupon has taken off; not part of the amount.
        coupon_discount: Option<AmountOrZero>,
        /// When it happened; defaults to now.
        occurred_at: Option<Instant>,
        /// The quote of a simulation, which must still hold.
        quote: Option<NonBlankText>,
        /// Description, as free text.
        description: Option<FreeText>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<Metadata>,
    }
    check(fields) {
        if booking_id.is_none() && payment_id.is_none() && !fields.is_sent("booking_id") && !fields.is_sent("payment_id") {
            fields.offend("booking_id", "is required without payment_id");
        }
    }
    rules [schema::any_sent(&["booking_id", "payment_id"])]
}

request! {
    /// A purchase whose points are to be reckoned.
    pub(crate) struct SimulateRequest {
        /// The customer whose tier counts; not with `tier`.
        user_id: Option<CustomerId>,
        /// The tier; defaults to the lowest.
        tier: Option<Sent<TierName>>,
        /// What would be charged in money.
        amount: Amount,
        /// ISO 4217 code; defaults to the program's currency.
        currency: Option<Currency>,
        /// What would be bought; the amounts sum to `amount`.
        lines: Option<LinesInput>,
        /// What a coupon would take off.
        coupon_discount: Option<AmountOrZero>,
        /// When it would happen; defaults to now.
        occurred_at: Option<Instant>,
    }
    check(fields) {
        if user_id.is_some() && tier.is_some() {
            fields.offend("tier", "must not be sent with user_id");
        }
    }
    rules [schema::not_both("user_id", "tier")]
}

/// Returns the report of a purchase, or the fields that do not fit its currency.
fn report(
    (amount, currency): (Amount, Currency),
    lines: Option<LinesInput>,
    coupon_discount: Option<AmountOrZero>,
    occurred_at: Option<Instant>,
) -> Result<PurchaseReport, Problem> {
    let lines =
        lines.map(|lines| lines.in_currency(currency).ok_or_else(|| Problem::field("/lines", MORE_DIGITS)));
    let coupon = coupon_discount.map(|coupon| {
        coupon.in_currency(currency).ok_or_else(|| Problem::field("/coupon_discount", MORE_DIGITS))
    });
    Ok(PurchaseReport {
        amount,
        currency,
        lines: lines.transpose()?.unwrap_or_default(),
        coupon_discount: coupon.transpose()?.unwrap_or_default(),
        occurred_at: occurred_at.map(|at| at.0),
    })
}

pub(crate) fn earn(request: &ApiRequest, app: &App, user: CustomerId) -> Result<EarnPoints, Problem> {
    let sent = EarnRequest::read(request.fields()?)?;
    let currency = sent.currency.unwrap_or(app.policy.currency());
    Ok(EarnPoints {
        user,
        booking_id: sent.booking_id.map(|id| id.0),
        payment_id: sent.payment_id.map(|id| id.0),
        report: report((sent.amount, currency), sent.lines, sent.coupon_discount, sent.occurred_at)?,
        quote: sent.quote.map(|quote| quote.0.as_str().to_owned()),
        description: sent.description,
        metadata: sent.metadata.unwrap_or_default(),
        is_event: false,
    })
}

/// A simulation.
pub(crate) struct Simulation {
    pub(crate) user: Option<CustomerId>,
    pub(crate) tier: Option<TierName>,
    pub(crate) report: PurchaseReport,
}

pub(crate) fn simulate(request: &ApiRequest, app: &App) -> Result<Simulation, Problem> {
    let sent = SimulateRequest::read(request.fields()?)?;
    let currency = sent.currency.unwrap_or(app.policy.currency());
    let report = report((sent.amount, currency), sent.lines, sent.coupon_discount, sent.occurred_at)?;
    Ok(Simulation { user: sent.user_id, tier: sent.tier.map(|tier| tier.0), report })
}

request! {
    /// Points added or removed by hand.
    pub(crate) struct AdjustRequest {
        /// in or out
        direction: Sent<Direction>,
        /// How many.
        points: PointsInput,
        /// Why; must not be blank.
        reason: NonBlankText,
        /// For `in`: the last date on which they can be spent; defaults to the program's.
        expires_on: Option<ExpiryDate>,
        /// For `in`: the days for which they can be spent.
        expiry_days: Option<NumberInput<ExpiryDays>>,
        /// For `in`: whether they count for tiers; defaults to false.
        qualifying: Option<bool>,
        /// For `out`: whether what cannot be removed is owed; defaults to false.
        owe: Option<bool>,
        /// At most 20 pairs and 2 KB.
        metadata: Option<Metadata>,
    }
    check(fields) {
        if expires_on.is_some() && expiry_days.is_some() {
            fields.offend("expiry_days", "must not be sent with expires_on");
        }
    }
    rules [
        schema::not_both("expires_on", "expiry_days"),
        schema::when(
            &json!({"required": ["direction"], "properties": {"direction": {"const": "out"}}}),
            &json!({"properties": {
                "expires_on": schema::absent(),
                "expiry_days": schema::absent(),
                "qualifying": {"not": {"const": true}},
            }})
        ),
        schema::when(
            &json!({"required": ["direction"], "properties": {"direction": {"const": "in"}}}),
            &json!({"properties": {"owe": {"not": {"const": true}}}})
        )
    ]
}

pub(crate) fn adjust(request: &ApiRequest, user: CustomerId) -> Result<AdjustPoints, Problem> {
    let sent = AdjustRequest::read(request.fields()?)?;
    let refuse = |name: &str, is_sent: bool, direction: &str| {
        let detail = format!("is only for the direction {direction}");
        if is_sent { Err(Problem::field(format!("/{name}"), detail)) } else { Ok(()) }
    };
    match sent.direction.0 {
        Direction::In => refuse("owe", sent.owe.is_some_and(|owe| owe), "out")?,
        Direction::Out => {
            refuse("expires_on", sent.expires_on.is_some(), "in")?;
            refuse("expiry_days", sent.expiry_days.is_some(), "in")?;
            refuse("qualifying", sent.qualifying.is_some_and(|qualifying| qualifying), "in")?;
        }
    }
    Ok(AdjustPoints {
        user,
        direction: sent.direction.0,
        points: sent.points.0,
        reason: sent.reason.0,
        expires_on: sent.expires_on.map(|date| date.0.to_string()),
        expiry_days: sent.expiry_days.map(|NumberInput(days)| days.0),
        qualifying: sent.qualifying.unwrap_or(false),
        owe: sent.owe.unwrap_or(false),
        metadata: sent.metadata.unwrap_or_default(),
        cause: Cause::of_request(Operation::AdjustPoints, request.key()?.as_ref(), request.id()),
    })
}

request! {
    /// Points moved to another customer.
    pub(crate) struct TransferPointsRequest {
        /// Who receives them.
        to_user_id: CustomerId,
        /// How many.
        points: PointsInput,
        /// Why; must not be blank.
        reason: NonBlankText,
    }
}

pub(crate) fn transfer(request: &ApiRequest, from: CustomerId) -> Result<TransferPoints, Problem> {
    let TransferPointsRequest { to_user_id: to, points, reason } =
        TransferPointsRequest::read(request.fields()?)?;
    let cause = Cause::of_request(Operation::TransferPoints, request.key()?.as_ref(), request.id());
    Ok(TransferPoints { from, to, points: points.0, reason: reason.0, cause })
}

request! {
    /// A change that needs a reason.
    pub(crate) struct ReasonRequest {
        /// Why; must not be blank.
        reason: NonBlankText,
    }
}

pub(crate) fn reason(request: &ApiRequest) -> Result<FreeText, Problem> {
    let ReasonRequest { reason } = ReasonRequest::read(request.fields()?)?;
    request.key()?;
    Ok(reason.0)
}

/// A date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateInput(Date);

impl Text for DateInput {
    fn parse(text: &str) -> Result<Self, ParseError> {
        domain::time::parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date", "pattern": schema::LATER_THAN_TODAY})
    }
}

request! {
    /// A tier granted by hand, or the end of a grant.
    pub(crate) struct GrantRequest {
        /// The tier; null ends the grant.
        tier: edge::request::Clearable<Sent<TierName>>,
        /// The last date of the grant: today to three years ahead; required with a tier.
        until: Option<DateInput>,
        /// Why; must not be blank.
        reason: NonBlankText,
    }
    check(fields, today: Date) {
        if tier.0.is_none() {
            fields.offend("tier", "is required");
        }
        let latest = today.checked_add_months(chrono::Months::new(36)).unwrap_or(Date::MAX);
        match (&tier.0, until) {
            (Some(Some(_)), None) if !fields.is_sent("until") => fields.offend("until", "is required"),
            (_, Some(DateInput(until))) if until < today || until > latest => {
                fields.offend("until", "must be today or later, and at most three years ahead");
            }
            _ => {}
        }
    }
    rules [
        json!({"required": ["tier"]}),
        schema::when(
            &json!({"required": ["tier"], "properties": {"tier": {"type": "string"}}}),
            &schema::any_sent(&["until"])
        )
    ]
}

pub(crate) fn grant(request: &ApiRequest, user: CustomerId, today: Date) -> Result<GrantTier, Problem> {
    let GrantRequest { tier, until, reason } = GrantRequest::read(request.fields()?, today)?;
    request.key()?;
    let grant = tier.0.flatten().zip(until).map(|(tier, until)| (tier.0, until.0));
    Ok(GrantTier { user, grant, reason: reason.0 })
}
