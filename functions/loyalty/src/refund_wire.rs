//! Parses reports of refunds and cancellations.
//!
//! **Invariant:** amounts are read in the currency of the purchase.

use crate::input::{AmountOrZero, PointsInput, PointsOrNone, RefundLine, Sent};
use crate::wire::MORE_DIGITS;
use domain::currency::Currency;
use domain::ids::{BookingId, OrderId, PaymentId, PurchaseId, RefundId};
use domain::loyalty::refunds::RefundReport;
use domain::loyalty::report::Reported;
use domain::money::{Amount, Money};
use domain::text::FreeText;
use edge::fields::Fields;
use edge::input::List;
use edge::{ApiRequest, Problem, request, schema};
use serde_json::json;

/// The most decimal places of an amount.
const MOST_DIGITS: u32 = 4;

request! {
    /// A refund of a purchase.
    pub(crate) struct ReportRefundRequest {
        /// The booking.
        booking_id: Option<Sent<BookingId>>,
        /// The payment.
        payment_id: Option<Sent<PaymentId>>,
        /// The order whose credit for delivery, and whose rewards, the refund takes back.
        order_id: Option<OrderId>,
        /// Id of the refund; it counts once.
        refund_id: Sent<RefundId>,
        /// Amount of this refund, in the purchase's currency.
        amount: Option<Amount>,
        /// Total of all refunds of the purchase so far.
        refunded_total: Option<Amount>,
        /// What the amount is for; the amounts sum to `amount`.
        lines: Option<List<RefundLine, 0, 100>>,
        /// Points that come back; otherwise they come back in proportion.
        points_back: Option<PointsOrNone>,
        /// Points given in place of this refund's money.
        points_instead: Option<PointsInput>,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
    check(fields) {
        if amount.is_some() && refunded_total.is_some() {
            fields.offend("refunded_total", "must not be sent with amount");
        }
        check_names(fields);
        for name in ["lines", "points_back", "points_instead"] {
            if fields.is_sent("order_id") && fields.is_sent(name) {
                fields.offend(name, "needs booking_id or payment_id");
            }
        }
        if !fields.is_sent("amount") && !fields.is_sent("refunded_total") && !fields.is_sent("points_back") {
            fields.offend("amount", "is required without refunded_total and points_back");
        }
        if lines.as_ref().is_some_and(|lines| !lines.0.is_empty()) && !fields.is_sent("amount") {
            fields.offend("lines", "must sum to amount, which is missing");
        }
    }
    rules [
        schema::any_sent(&["booking_id", "payment_id", "order_id"]),
        schema::not_both("order_id", "booking_id"),
        schema::not_both("order_id", "payment_id"),
        schema::not_both("order_id", "lines"),
        schema::not_both("order_id", "points_back"),
        schema::not_both("order_id", "points_instead"),
        schema::any_sent(&["amount", "refunded_total", "points_back"]),
        schema::when(
            &json!({"required": ["lines"], "properties": {"lines": {"type": "array", "minItems": 1}}}),
            &schema::any_sent(&["amount"])
        ),
        schema::not_both("amount", "refunded_total")
    ]
}

/// Reports ids that do not go together: one purchase, or one order, is named.
fn check_names(fields: &mut Fields<'_>) {
    if !["booking_id", "payment_id", "order_id"].iter().any(|name| fields.is_sent(name)) {
        fields.offend("booking_id", "is required without payment_id and order_id");
    }
    for name in ["booking_id", "payment_id"] {
        if fields.is_sent("order_id") && fields.is_sent(name) {
            fields.offend(name, "must not be sent with order_id");
        }
    }
}

/// A refund as it was sent, before its currency is known.
pub(crate) struct RefundSent {
    pub(crate) purchase: Option<PurchaseId>,
    pub(crate) order: Option<OrderId>,
    sent: ReportRefundRequest,
}

fn purchase_of(
    booking_id: Option<&Sent<BookingId>>,
    payment_id: Option<&Sent<PaymentId>>,
) -> Option<PurchaseId> {
    let booking = booking_id.map(|id| PurchaseId::Booking(id.0.clone()));
    booking.or(payment_id.map(|id| PurchaseId::Payment(id.0.clone())))
}

pub(crate) fn refund(request: &ApiRequest) -> Result<RefundSent, Problem> {
    let sent = ReportRefundRequest::read(request.fields()?)?;
    request.key()?;
    let purchase = purchase_of(sent.booking_id.as_ref(), sent.payment_id.as_ref());
    if let (Some(amount), Some(lines)) =
        (sent.amount, sent.lines.as_ref().filter(|lines| !lines.0.is_empty()))
    {
        let parts = lines.0.iter().map(|line| line.amount.with_digits(MOST_DIGITS));
        let sum = parts.collect::<Option<Vec<Money>>>().and_then(Money::checked_sum);
        if sum != amount.with_digits(MOST_DIGITS) {
            return Err(Problem::field("/lines", "must sum to the amount"));
        }
    }
    Ok(RefundSent { purchase, order: sent.order_id.clone(), sent })
}

impl RefundSent {
    /// Returns the report, if its amounts fit the currency.
    pub(crate) fn report(&self, currency: Currency) -> Result<(Reported, Option<FreeText>), Problem> {
        let exact = |name: &str, amount: Option<Amount>| {
            let money = amount.map(|amount| amount.in_currency(currency));
            let money =
                money.map(|money| money.ok_or_else(|| Problem::field(format!("/{name}"), MORE_DIGITS)));
            Ok::<_, Problem>(money.transpose()?.unwrap_or_default())
        };
        let ReportRefundRequest {
            refund_id,
            amount,
            refunded_total,
            lines,
            points_back,
            points_instead,
            reason,
            ..
        } = &self.sent;
        let (amount, refunded_total) = (exact("amount", *amount)?, exact("refunded_total", *refunded_total)?);
        let lines = lines.iter().flat_map(|lines| &lines.0);
        let lines =
            lines.map(|line| Ok::<_, Problem>((line.line_id.clone(), exact("lines", Some(line.amount))?)));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let report = RefundReport {
            amount,
            refunded_total,
            lines,
            points_back: points_back.as_ref().map(|points| points.0),
            points_instead: points_instead.as_ref().map(|points| points.0),
            has_failed: false,
        };
        Ok((Reported::Refund(refund_id.0.clone(), report), reason.clone()))
    }
}

request! {
    /// A refund that has failed.
    pub(crate) struct FailRequest {
        /// The booking.
        booking_id: Option<Sent<BookingId>>,
        /// The payment.
        payment_id: Option<Sent<PaymentId>>,
        /// The order.
        order_id: Option<OrderId>,
    }
    check(fields) {
        check_names(fields);
    }
    rules [
        schema::any_sent(&["booking_id", "payment_id", "order_id"]),
        schema::not_both("order_id", "booking_id"),
        schema::not_both("order_id", "payment_id")
    ]
}

pub(crate) fn fail(request: &ApiRequest) -> Result<(Option<PurchaseId>, Option<OrderId>), Problem> {
    let FailRequest { booking_id, payment_id, order_id } = FailRequest::read(request.fields()?)?;
    request.key()?;
    Ok((purchase_of(booking_id.as_ref(), payment_id.as_ref()), order_id))
}

request! {
    /// A booking that was cancelled.
    pub(crate) struct CancelRequest {
        /// What was kept of the amount; defaults to 0.
        amount_kept: Option<AmountOrZero>,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

pub(crate) fn cancel(request: &ApiRequest) -> Result<CancelRequest, Problem> {
    let sent = CancelRequest::read(request.fields()?)?;
    request.key()?;
    Ok(sent)
}
