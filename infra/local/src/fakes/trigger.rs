//! Triggers an event at a fake gateway and sends its webhook.
//!
//! **Invariant:** an event changes the state of the fake before its webhook is sent: a payment is
//! recorded as paid, and a refund is added to the total.

use super::Fakes;
use super::fixture::{self, SampleValues};
use super::send::{Deliver, Delivered, Outgoing};
use super::state::{FakeOrder, FakePayment, id};
use crate::Failure;
use serde::{Deserialize, Serialize};

/// Request to trigger an event.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct TriggerRequest {
    /// Sample webhook to send, such as razorpay.payment_captured (see events/webhooks).
    pub fixture: String,
    /// Customer whose wallet is topped up.
    #[arg(long, default_value = "cust_123")]
    #[serde(default = "default_customer")]
    pub customer: String,
    /// Amount of the payment, or of the refund or dispute.
    #[arg(long)]
    #[serde(default)]
    pub amount: Option<String>,
    /// Gateway's order to pay; without it, a top-up is initiated.
    #[arg(long)]
    #[serde(default)]
    pub order: Option<String>,
    /// Payment to refund or dispute; without it, the customer's latest.
    #[arg(long)]
    #[serde(default)]
    pub payment: Option<String>,
    /// Gateway's id of the refund or dispute; without it, one is generated.
    #[arg(long)]
    #[serde(default)]
    pub id: Option<String>,
    /// How the webhook is delivered.
    #[arg(long, value_enum, default_value = "once")]
    #[serde(default)]
    pub deliver: Deliver,
}

fn default_customer() -> String {
    "cust_123".to_owned()
}

/// Result of a triggered event.
#[derive(Clone, Debug, Serialize)]
pub struct Triggered {
    /// Sample webhook.
    pub fixture: String,
    /// Gateway's id of the event.
    pub event_id: String,
    /// Id of our top-up.
    pub topup_id: String,
    /// Gateway's id of the order.
    pub order: String,
    /// Gateway's id of the payment.
    pub payment: String,
    /// Gateway's id of the refund or dispute.
    pub reversal: Option<String>,
    /// Number of times that the webhook was delivered.
    pub delivered: u8,
    /// HTTP status of the answer; `None` if the webhook was not delivered.
    pub status: Option<u16>,
    /// Body of the answer, or the reason why the webhook was not delivered.
    pub answer: String,
}

/// Kind of event that a sample reports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SampleKind {
    Paid,
    Tried(&'static str),
    Approved,
    Reversed,
}

fn kind_of(fixture: &str) -> SampleKind {
    if ["refund", "dispute", "reversed"].iter().any(|word| fixture.contains(word)) {
        SampleKind::Reversed
    } else if fixture.contains("approved") {
        SampleKind::Approved
    } else if fixture.contains("authorized") || fixture.contains("pending") {
        SampleKind::Tried("authorized")
    } else if ["failed", "denied", "declined"].iter().any(|word| fixture.contains(word)) {
        SampleKind::Tried("failed")
    } else {
        SampleKind::Paid
    }
}

/// Returns the gateway that keeps the orders of a sample.
pub fn gateway_of(fixture: &str) -> Option<&'static str> {
    let (name, _) = fixture.split_once('.')?;
    ["razorpay", "stripe", "paypal"]
        .into_iter()
        .find(|known| *known == name)
        .or((name == "google-pay").then_some("razorpay"))
}

/// Returns true if a top-up must be initiated first, because no order or payment exists for the
/// sample.
pub fn begins(fakes: &Fakes, wanted: &TriggerRequest) -> bool {
    let known = |gateway| fakes.read().newest_payment(gateway, &wanted.customer).is_some();
    match kind_of(&wanted.fixture) {
        SampleKind::Reversed => wanted.payment.is_none() && !gateway_of(&wanted.fixture).is_some_and(known),
        SampleKind::Paid | SampleKind::Tried(_) | SampleKind::Approved => wanted.order.is_none(),
    }
}

/// Returns true if the payment must be made and reported first, because the sample is about a
/// refund or dispute.
pub fn needs_payment(fixture: &str) -> bool {
    kind_of(fixture) == SampleKind::Reversed
}

impl Fakes {
    /// Triggers an event and delivers its webhook.
    pub async fn trigger(&self, wanted: &TriggerRequest) -> Result<Triggered, Failure> {
        let known = fixture::names().any(|name| name == wanted.fixture);
        if !known {
            let names: Vec<&str> = fixture::names().collect();
            return Err(format!("no sample {}; samples: {}", wanted.fixture, names.join(" ")).into());
        }
        let (order, payment) = self.settle(wanted)?;
        let values = self.values(wanted, &order, &payment)?;
        let mut report = values.clone();
        if wanted.deliver == Deliver::WrongAmount {
            (report.units, report.reversed) = (values.units + 100, values.reversed + 100);
        }
        let body = fixture::render(&wanted.fixture, &report).ok_or("the sample cannot be read")?;
        let endpoint = wanted.fixture.split('.').next().unwrap_or_default();
        let webhook =
            Outgoing { gateway: endpoint.to_owned(), event: values.event.clone(), body: body.clone() };
        let sent = self.deliver(webhook, wanted.deliver).await?;
        let Delivered { status, answer, times } = sent;
        Ok(Triggered {
            fixture: wanted.fixture.clone(),
            event_id: values.event,
            topup_id: values.topup,
            order: values.order,
            payment: values.payment,
            reversal: (kind_of(&wanted.fixture) == SampleKind::Reversed).then_some(values.reversal),
            delivered: times,
            status,
            answer,
        })
    }

    /// Records the event in the state of the fake.
    fn settle(&self, wanted: &TriggerRequest) -> Result<(FakeOrder, FakePayment), Failure> {
        let gateway = gateway_of(&wanted.fixture).ok_or("the sample belongs to no known gateway")?;
        let order_of = |id: &str| self.read().orders.get(id).cloned();
        match kind_of(&wanted.fixture) {
            SampleKind::Reversed => {
                let state = self.read();
                let payment = match &wanted.payment {
                    Some(id) => state.payments.get(id),
                    None => state.newest_payment(gateway, &wanted.customer),
                };
                let payment = payment.cloned().ok_or("the customer has no payment with this gateway")?;
                drop(state);
                let order = order_of(&payment.order).ok_or("the payment's order is unknown")?;
                Ok((order, payment))
            }
            SampleKind::Approved => {
                let id = wanted.order.clone().ok_or("the sample needs an order")?;
                let approve = |order: &mut FakeOrder| {
                    if order.status == "created" {
                        "approved".clone_into(&mut order.status);
                    }
                };
                self.write(|state| state.orders.get_mut(&id).map(approve));
                let order = order_of(&id).ok_or("the order is unknown")?;
                let none = FakePayment {
                    id: String::new(),
                    charge: String::new(),
                    order: id,
                    units: order.units,
                    status: String::new(),
                    refunded: 0,
                    number: 0,
                };
                Ok((order, none))
            }
            kind @ (SampleKind::Paid | SampleKind::Tried(_)) => {
                let id = wanted.order.clone().ok_or("the sample needs an order")?;
                let status = if let SampleKind::Tried(status) = kind { status } else { "captured" };
                let payment = self.write(|state| state.pay(&id, status)).ok_or("the order is unknown")?;
                Ok((order_of(&id).ok_or("the order is unknown")?, payment))
            }
        }
    }

    fn values(
        &self,
        wanted: &TriggerRequest,
        order: &FakeOrder,
        payment: &FakePayment,
    ) -> Result<SampleValues, Failure> {
        let number = self.write(super::state::GatewayState::number);
        let gateway = gateway_of(&wanted.fixture).unwrap_or_default();
        let prefix = match gateway {
            "stripe" => "evt_",
            "paypal" => "WH-",
            _ => "",
        };
        let mut values = SampleValues {
            event: id(prefix, &format!("{}|{number}|{}", payment.id, self.now_seconds())),
            topup: order.topup.clone().unwrap_or_default(),
            order: order.id.clone(),
            payment: payment.id.clone(),
            charge: payment.charge.clone(),
            reversal: String::new(),
            units: payment.units,
            reversed: 0,
            currency: order.currency.clone(),
            at: self.now_seconds(),
        };
        if kind_of(&wanted.fixture) == SampleKind::Reversed {
            self.reversal(wanted, payment, number, &mut values)?;
        }
        Ok(values)
    }

    /// Sets the id and the amount of a refund or dispute, and records it in the state of the fake.
    fn reversal(
        &self,
        wanted: &TriggerRequest,
        payment: &FakePayment,
        number: u64,
        values: &mut SampleValues,
    ) -> Result<(), Failure> {
        let units = match &wanted.amount {
            Some(text) => units(text, &values.currency).ok_or("the amount is not valid for the currency")?,
            None => payment.units,
        };
        let is_dispute = wanted.fixture.contains("dispute");
        let name = match (wanted.fixture.split('.').next().unwrap_or_default(), is_dispute) {
            ("stripe", true) => id("dp_", &payment.id),
            ("paypal", true) => id("PP-D-", &payment.id),
            ("paypal", false) => id("", &format!("{}|{number}", payment.id)).to_ascii_uppercase(),
            ("stripe", false) => id("re_", &format!("{}|{number}", payment.id)),
            (_, true) => id("disp_", &payment.id),
            (_, false) => id("rfnd_", &format!("{}|{number}", payment.id)),
        };
        values.reversal = wanted.id.clone().unwrap_or(name);
        values.reversed = units;
        let is_refund = matches!(
            wanted.fixture.as_str(),
            "razorpay.refund_processed" | "stripe.charge_refunded" | "paypal.payment_capture_refunded"
        );
        // A failed refund no longer counts in the total of Stripe's charge.
        let fails = ["stripe.charge_refund_updated", "stripe.refund_failed", "stripe.refund_updated"];
        if fails.contains(&wanted.fixture.as_str()) {
            self.write(|state| state.refund_fails(&payment.id, units));
        }
        if is_refund {
            let refunded = self.write(|state| state.refund(&values.reversal, &payment.id, units));
            if wanted.fixture == "stripe.charge_refunded" {
                // Stripe reports the total refunded amount of the charge.
                values.reversed = refunded;
            }
        }
        Ok(())
    }
}

/// Converts an amount such as `500` or `500.00` to minor units.
fn units(text: &str, currency: &str) -> Option<u64> {
    let currency = domain::currency::Currency::parse(currency).ok()?;
    let amount = domain::money::Amount::parse(text).ok()?.in_currency(currency)?;
    let factor = rust_decimal::Decimal::from(10_u64.pow(currency.digits()));
    (amount.value() * factor).try_into().ok()
}
