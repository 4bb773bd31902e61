//! Reads messages: bare, in an envelope of EventBridge, or decoded from a record of Kafka.
//!
//! **Invariant:** types and fields that are not ours are ignored; a field of ours that is invalid makes the message
//! unreadable.
//! **Invariant:** errors name a field and never repeat its value.

use domain::currency::Currency;
use domain::ids::{AccountKind, BookingId, CustomerId, HoldId, LineId, OrderId, PaymentId, RefundId};
use domain::loyalty::earn::PurchaseReport;
use domain::loyalty::numbers::Points;
use domain::loyalty::purchase::{Line, LineKind, MAX_LINES};
use domain::loyalty::refunds::RefundReport;
use domain::money::{Amount, Money};
use domain::rewards::deliver::DeliverOrder;
use domain::text::FreeText;
use domain::time::Timestamp;
use edge::input::Input;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Decimal places of amounts whose currency is not known yet.
const MOST_DIGITS: u32 = 4;

/// A field that is missing or invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the field {} is missing or invalid", self.0)
    }
}

/// A message as it was sent.
#[derive(Deserialize)]
pub struct Message {
    #[serde(rename = "type")]
    bare_type: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    data: Option<Box<RawValue>>,
    detail: Option<Box<RawValue>>,
    occurred_at: Option<String>,
    time: Option<String>,
}

/// The data of a message: the fields of all types that we know.
#[derive(Default, Deserialize)]
struct Data {
    booking_id: Option<String>,
    payment_id: Option<String>,
    order_id: Option<String>,
    user_id: Option<String>,
    customer_id: Option<String>,
    reason: Option<String>,
    total: Option<Box<RawValue>>,
    refund_id: Option<String>,
    redemption_token: Option<String>,
    amount: Option<Box<RawValue>>,
    refunded_total: Option<Box<RawValue>>,
    amount_kept: Option<Box<RawValue>>,
    coupon_discount: Option<Box<RawValue>>,
    points_back: Option<Box<RawValue>>,
    currency: Option<String>,
    lines: Option<Vec<LineData>>,
}

#[derive(Debug, Deserialize)]
struct LineData {
    line_id: Option<String>,
    product_id: Option<String>,
    #[serde(default)]
    categories: Option<Vec<String>>,
    kind: Option<String>,
    amount: Option<Box<RawValue>>,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Event {
    /// A booking was confirmed.
    Confirmed(Bought),
    /// A payment succeeded.
    Paid(Bought),
    /// A payment failed; the token or the booking names the redemption that it was for.
    PaymentFailed(Named),
    /// A refund was made.
    Refunded(Named, RefundId, RefundReport),
    /// A refund failed.
    RefundFailed(Named, RefundId),
    /// A booking was cancelled; this much of its amount was kept.
    Cancelled(Named, Money),
    /// An order was delivered; `None` if its total was zero.
    Delivered(Option<DeliverOrder>),
    /// An order was cancelled.
    OrderCancelled(CancelledOrder),
    /// Something else.
    Unknown,
}

/// Who and what a message names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The customer.
    pub user: Option<CustomerId>,
    /// The booking.
    pub booking: Option<BookingId>,
    /// The payment.
    pub payment: Option<PaymentId>,
    /// The redemption.
    pub token: Option<HoldId>,
    /// The order.
    pub order: Option<OrderId>,
}

/// A cancelled order.
#[derive(Clone, Debug)]
pub struct CancelledOrder {
    /// The order.
    pub order: OrderId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Why it was cancelled.
    pub reason: Option<FreeText>,
}

/// A purchase.
#[derive(Clone, Debug)]
pub struct Bought {
    /// Who and what.
    pub named: Named,
    /// The customer.
    pub user: CustomerId,
    /// What was charged; `None` if nothing was.
    pub report: Option<PurchaseReport>,
}

impl Message {
    /// Returns what messages that must be handled in order have in common: the customer, else the booking, else the
    /// payment, else the order.
    pub fn subject(&self) -> Option<String> {
        let data = self.data.as_deref().or(self.detail.as_deref())?;
        let data: Data = serde_json::from_str(data.get()).ok()?;
        let user = data.user_id.as_ref().or(data.customer_id.as_ref()).map(|id| format!("user:{id}"));
        let booking = || data.booking_id.as_ref().map(|id| format!("booking:{id}"));
        let payment = || data.payment_id.as_ref().map(|id| format!("payment:{id}"));
        let order = || data.order_id.as_ref().map(|id| format!("order:{id}"));
        user.or_else(booking).or_else(payment).or_else(order)
    }

    /// Reads what it says; `currency` is that of amounts without one.
    pub fn event(self, currency: Currency) -> Result<Event, Unreadable> {
        let kind = self.bare_type.or(self.detail_type).ok_or(Unreadable("type"))?;
        let known = [
            "booking.confirmed",
            "payment.succeeded",
            "payment.failed",
            "payment.refunded",
            "payment.refund_failed",
            "booking.cancelled",
            "order.delivered",
            "order.cancelled",
        ];
        if !known.contains(&kind.as_str()) {
            return Ok(Event::Unknown);
        }
        let data = self.data.or(self.detail).ok_or(Unreadable("data"))?;
        let data: Data = serde_json::from_str(data.get()).map_err(|_| Unreadable("data"))?;
        let at = self.occurred_at.or(self.time);
        let at = at.map(|at| Timestamp::parse(&at).map_err(|_| Unreadable("occurred_at"))).transpose()?;
        let named = data.named()?;
        let has_id = named.booking.is_some() || named.payment.is_some() || named.order.is_some();
        match kind.as_str() {
            "booking.confirmed" | "booking.cancelled" if named.booking.is_none() => {
                Err(Unreadable("booking_id"))
            }
            "booking.confirmed" => data.bought(named, currency, at).map(Event::Confirmed),
            "payment.succeeded" if named.payment.is_none() => Err(Unreadable("payment_id")),
            "payment.succeeded" => data.bought(named, currency, at).map(Event::Paid),
            "payment.failed" => Ok(Event::PaymentFailed(named)),
            "booking.cancelled" => {
                Ok(Event::Cancelled(named, money("amount_kept", data.amount_kept.as_deref())?))
            }
            "order.delivered" => data.delivered(named, currency).map(Event::Delivered),
            "order.cancelled" => data.cancelled(named).map(Event::OrderCancelled),
            _ if !has_id => Err(Unreadable("payment_id")),
            "payment.refunded" => Ok(Event::Refunded(named, data.refund_id()?, data.refund()?)),
            _ => Ok(Event::RefundFailed(named, data.refund_id()?)),
        }
    }
}

/// Reads an amount that may be zero or left out.
fn amount(name: &'static str, raw: Option<&RawValue>) -> Result<Option<Amount>, Unreadable> {
    let Some(raw) = raw else { return Ok(None) };
    let text = raw.get().trim_matches('"');
    let is_zero = text.starts_with('0') && text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if is_zero { Ok(None) } else { Amount::read(raw).map(Some).map_err(|_| Unreadable(name)) }
}

fn money(name: &'static str, raw: Option<&RawValue>) -> Result<Money, Unreadable> {
    let amount = amount(name, raw)?;
    amount.map_or(Ok(Money::ZERO), |amount| amount.with_digits(MOST_DIGITS).ok_or(Unreadable(name)))
}

fn id<T, E>(
    name: &'static str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Unreadable> {
    text.map(|text| parse(text).map_err(|_| Unreadable(name))).transpose()
}

impl Data {
    fn named(&self) -> Result<Named, Unreadable> {
        if self.user_id.is_some() && self.customer_id.is_some() && self.user_id != self.customer_id {
            return Err(Unreadable("customer_id"));
        }
        Ok(Named {
            user: id("user_id", self.user_id.as_ref().or(self.customer_id.as_ref()), CustomerId::parse)?,
            booking: id("booking_id", self.booking_id.as_ref(), BookingId::parse)?,
            payment: id("payment_id", self.payment_id.as_ref(), PaymentId::parse)?,
            token: id("redemption_token", self.redemption_token.as_ref(), |text| {
                HoldId::parse_of(AccountKind::Points, text)
            })?,
            order: id("order_id", self.order_id.as_ref(), OrderId::parse)?,
        })
    }

    fn delivered(&self, named: Named, default: Currency) -> Result<Option<DeliverOrder>, Unreadable> {
        let order = named.order.ok_or(Unreadable("order_id"))?;
        let customer = named.user.ok_or(Unreadable("customer_id"))?;
        let currency = id("currency", self.currency.as_ref(), Currency::parse)?.unwrap_or(default);
        let raw = self.total.as_deref().ok_or(Unreadable("total"))?;
        let total = amount("total", Some(raw))?;
        let exact = |total: Amount| total.in_currency(currency).ok_or(Unreadable("total"));
        let total = total.map(exact).transpose()?;
        Ok(total.map(|total| DeliverOrder { order, customer, total, currency }))
    }

    fn cancelled(&self, named: Named) -> Result<CancelledOrder, Unreadable> {
        Ok(CancelledOrder {
            order: named.order.ok_or(Unreadable("order_id"))?,
            customer: named.user.ok_or(Unreadable("customer_id"))?,
            reason: id("reason", self.reason.as_ref().filter(|text| !text.is_empty()), FreeText::parse)?,
        })
    }

    fn bought(
        &self,
        named: Named,
        default: Currency,
        occurred_at: Option<Timestamp>,
    ) -> Result<Bought, Unreadable> {
        let user = named.user.clone().ok_or(Unreadable("user_id"))?;
        let currency = id("currency", self.currency.as_ref(), Currency::parse)?.unwrap_or(default);
        let raw = self.amount.as_deref().ok_or(Unreadable("amount"))?;
        let exact = |name, raw: Option<&RawValue>| {
            let amount = amount(name, raw)?;
            amount.map_or(Ok(Money::ZERO), |amount| amount.in_currency(currency).ok_or(Unreadable(name)))
        };
        let lines = self.lines.as_deref().unwrap_or_default();
        if lines.len() > MAX_LINES {
            return Err(Unreadable("lines"));
        }
        let line = |line: &LineData| {
            let text = |text: &Option<String>| id("lines", text.as_ref(), LineId::parse);
            let categories = line.categories.as_deref().unwrap_or_default();
            let categories = categories.iter().map(|text| LineId::parse(text).map(|id| id.to_string()));
            let kind = id("lines", line.kind.as_ref(), LineKind::parse)?;
            Ok(Line {
                line_id: text(&line.line_id)?.map(|id| id.to_string()),
                product_id: text(&line.product_id)?.map(|id| id.to_string()),
                categories: categories.collect::<Result<_, _>>().map_err(|_| Unreadable("lines"))?,
                kind: kind.unwrap_or(LineKind::Goods),
                amount: exact("lines", Some(line.amount.as_deref().ok_or(Unreadable("lines"))?))?,
            })
        };
        let lines = lines.iter().map(line).collect::<Result<Vec<Line>, Unreadable>>()?;
        let coupon_discount = exact("coupon_discount", self.coupon_discount.as_deref())?;
        let report = amount("amount", Some(raw))?.map(|amount| PurchaseReport {
            amount,
            currency,
            lines,
            coupon_discount,
            occurred_at,
        });
        Ok(Bought { named, user, report })
    }

    fn refund_id(&self) -> Result<RefundId, Unreadable> {
        id("refund_id", self.refund_id.as_ref(), RefundId::parse)?.ok_or(Unreadable("refund_id"))
    }

    fn refund(&self) -> Result<RefundReport, Unreadable> {
        let points_back = match self.points_back.as_deref().map(RawValue::get) {
            None => None,
            Some("0") => Some(Points::ZERO),
            Some(text) => Some(Points::parse(text).map_err(|_| Unreadable("points_back"))?),
        };
        if self.amount.is_some() == self.refunded_total.is_some() {
            return Err(Unreadable("amount"));
        }
        let lines = self.lines.as_deref().unwrap_or_default();
        if lines.len() > MAX_LINES {
            return Err(Unreadable("lines"));
        }
        let lines = lines.iter().map(|line| {
            let name = id("lines", line.line_id.as_ref(), LineId::parse)?.ok_or(Unreadable("lines"))?;
            Ok((name.to_string(), money("lines", line.amount.as_deref())?))
        });
        Ok(RefundReport {
            amount: money("amount", self.amount.as_deref())?,
            refunded_total: money("refunded_total", self.refunded_total.as_deref())?,
            lines: lines.collect::<Result<_, Unreadable>>()?,
            points_back,
            points_instead: None,
            has_failed: false,
        })
    }
}
