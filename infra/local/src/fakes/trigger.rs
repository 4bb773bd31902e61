//! Making something happen at a fake gateway, and its webhook with it.
//!
//! **Invariant:** what is reported has happened in the fake's book first: a payment is paid there, a refund adds up.

use super::Fakes;
use super::fixture::{self, SampleValues};
use super::send::{Deliver, Delivered, Outgoing};
use super::state::{FakeOrder, FakePayment, id};
use crate::Failure;
use serde::{Deserialize, Serialize};

/// What to make happen.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct TriggerRequest {
    /// The sample, such as razorpay.payment_captured (see events/webhooks).
    pub fixture: String,
    /// Whose wallet.
    #[arg(long, default_value = "cust_123")]
    #[serde(default = "someone")]
    pub customer: String,
    /// How much: of the payment, or of the refund or dispute.
    #[arg(long)]
    #[serde(default)]
    pub amount: Option<String>,
    /// Of which gateway order; a top-up is begun without one.
    #[arg(long)]
    #[serde(default)]
    pub order: Option<String>,
    /// Of which payment; the customer's last without one.
    #[arg(long)]
    #[serde(default)]
    pub payment: Option<String>,
    /// The gateway's id of the refund or dispute.
    #[arg(long)]
    #[serde(default)]
    pub id: Option<String>,
    /// How the webhook is delivered.
    #[arg(long, value_enum, default_value = "once")]
    #[serde(default)]
    pub deliver: Deliver,
}

fn someone() -> String {
    "cust_123".to_owned()
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub struct Triggered {
    /// The sample.
    pub fixture: String,
    /// The gateway's id of the event.
    pub event_id: String,
    /// The top-up.
    pub topup_id: String,
    /// The gateway's order.
    pub order: String,
    /// The gateway's payment.
    pub payment: String,
    /// The gateway's refund or dispute.
    pub reversal: Option<String>,
    /// How often the webhook was delivered.
    pub delivered: u8,
    /// How it was answered; none if it was not delivered.
    pub status: Option<u16>,
    /// The answer, or why there is none.
    pub answer: String,
}

/// What a sample is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BudgetKind {
    Paid,
    Tried(&'static str),
    Approved,
    Reversed,
}

fn kind_of(fixture: &str) -> BudgetKind {
    if ["refund", "dispute", "reversed"].iter().any(|word| fixture.contains(word)) {
        BudgetKind::Reversed
    } else if fixture.contains("approved") {
        BudgetKind::Approved
    } else if fixture.contains("authorized") || fixture.contains("pending") {
        BudgetKind::Tried("authorized")
    } else if ["failed", "denied", "declined"].iter().any(|word| fixture.contains(word)) {
        BudgetKind::Tried("failed")
    } else {
        BudgetKind::Paid
    }
}

/// The gateway that keeps the orders of a sample.
pub fn gateway_of(fixture: &str) -> Option<&'static str> {
    let (name, _) = fixture.split_once('.')?;
    ["razorpay", "stripe", "paypal"]
        .into_iter()
        .find(|known| *known == name)
        .or((name == "google-pay").then_some("razorpay"))
}

/// True if a top-up must be begun first: the sample is about a payment that is not made yet.
pub fn begins(fakes: &Fakes, wanted: &TriggerRequest) -> bool {
    let known = |gateway| fakes.read().payment_key(gateway, &wanted.customer).is_some();
    match kind_of(&wanted.fixture) {
        BudgetKind::Reversed => wanted.payment.is_none() && !gateway_of(&wanted.fixture).is_some_and(known),
        BudgetKind::Paid | BudgetKind::Tried(_) | BudgetKind::Approved => wanted.order.is_none(),
    }
}

/// True if the payment itself must be made and reported first.
pub fn needs_payment(fixture: &str) -> bool {
    kind_of(fixture) == BudgetKind::Reversed
}

impl Fakes {
    /// Makes it happen, and delivers the webhook.
    pub async fn trigger(&self, wanted: &TriggerRequest) -> Result<Triggered, Failure> {
        let known = fixture::names().any(|name| name == wanted.fixture);
        if !known {
            let names: Vec<&str> = fixture::names().collect();
            return Err(format!("there is no {}; there are: {}", wanted.fixture, names.join(" ")).into());
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
            reversal: (kind_of(&wanted.fixture) == BudgetKind::Reversed).then_some(values.reversal),
            delivered: times,
            status,
            answer,
        })
    }

    /// The fake's book says that it has happened.
    fn settle(&self, wanted: &TriggerRequest) -> Result<(FakeOrder, FakePayment), Failure> {
        let gateway = gateway_of(&wanted.fixture).ok_or("no such gateway")?;
        let order_of = |id: &str| self.read().orders.get(id).cloned();
        match kind_of(&wanted.fixture) {
            BudgetKind::Reversed => {
                let state = self.read();
                let payment = match &wanted.payment {
                    Some(id) => state.payments.get(id),
                    None => state.payment_key(gateway, &wanted.customer),
                };
                let payment = payment.cloned().ok_or("the customer has paid nothing with this gateway")?;
                drop(state);
                let order = order_of(&payment.order).ok_or("the payment's order is not known")?;
                Ok((order, payment))
            }
            BudgetKind::Approved => {
                let id = wanted.order.clone().ok_or("an order is needed")?;
                let approve = |order: &mut FakeOrder| {
                    if order.status == "created" {
                        "approved".clone_into(&mut order.status);
                    }
                };
                self.write(|state| state.orders.get_mut(&id).map(approve));
                let order = order_of(&id).ok_or("the order is not known")?;
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
            kind @ (BudgetKind::Paid | BudgetKind::Tried(_)) => {
                let id = wanted.order.clone().ok_or("an order is needed")?;
                let status = if let BudgetKind::Tried(status) = kind { status } else { "captured" };
                let payment = self.write(|state| state.pay(&id, status)).ok_or("the order is not known")?;
                Ok((order_of(&id).ok_or("the order is not known")?, payment))
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
        if kind_of(&wanted.fixture) == BudgetKind::Reversed {
            self.reversal(wanted, payment, number, &mut values)?;
        }
        Ok(values)
    }

    /// What a refund or dispute is called, and how much it comes to.
    fn reversal(
        &self,
        wanted: &TriggerRequest,
        payment: &FakePayment,
        number: u64,
        values: &mut SampleValues,
    ) -> Result<(), Failure> {
        let units = match &wanted.amount {
            Some(text) => units(text, &values.currency).ok_or("the amount is not one")?,
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
        // A refund of Stripe's that fails is no part of the charge's sum any more.
        let fails = ["stripe.charge_refund_updated", "stripe.refund_failed", "stripe.refund_updated"];
        if fails.contains(&wanted.fixture.as_str()) {
            self.write(|state| state.refund_fails(&payment.id, units));
        }
        if is_refund {
            let refunded = self.write(|state| state.refund(&values.reversal, &payment.id, units));
            if wanted.fixture == "stripe.charge_refunded" {
                // Stripe tells how much of the charge has been refunded in all.
                values.reversed = refunded;
            }
        }
        Ok(())
    }
}

/// `500` or `500.00` of a currency, in minor units.
fn units(text: &str, currency: &str) -> Option<u64> {
    let currency = domain::currency::Currency::parse(currency).ok()?;
    let amount = domain::money::Amount::parse(text).ok()?.in_currency(currency)?;
    let factor = rust_decimal::Decimal::from(10_u64.pow(currency.digits()));
    (amount.value() * factor).try_into().ok()
}
