//! Stored state of the fake gateways and suppliers: orders, payments, refunds and orders of gift
//! cards.
//!
//! **Invariant:** amounts of payments are whole minor units; an order is paid only once.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Order, checkout session or payment intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeOrder {
    /// razorpay, stripe or paypal.
    pub gateway: String,
    /// Gateway's id of the order.
    pub id: String,
    /// Amount in minor units.
    pub units: u64,
    /// Currency code, in capitals.
    pub currency: String,
    /// Id of the top-up, if the order names it.
    pub topup: Option<String>,
    /// Idempotency key or receipt of the request that created the order.
    pub key: String,
    /// URL to which the customer returns after the payment.
    pub return_url: Option<String>,
    /// created, approved, authorized, paid or failed.
    pub status: String,
}

/// Payment of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakePayment {
    /// Gateway's id of the payment.
    pub id: String,
    /// Id of the charge; empty except at Stripe.
    pub charge: String,
    /// Id of the order.
    pub order: String,
    /// Amount in minor units.
    pub units: u64,
    /// captured, authorized or failed.
    pub status: String,
    /// Total refunded amount, in minor units.
    pub refunded: u64,
    /// Sequence number; a later payment has a higher one.
    pub number: u64,
}

/// Refund of a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeRefund {
    /// Gateway's id of the refund.
    pub id: String,
    /// Id of the payment.
    pub payment: String,
    /// Amount in minor units.
    pub units: u64,
}

/// Order of a gift card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeCardOrder {
    /// Supplier's number of the order.
    pub number: u64,
    /// Our reference.
    pub reference: String,
    /// Supplier's id of the product.
    pub product: String,
    /// Price, exactly as the order writes it.
    pub amount: String,
    /// Currency code; INR if the order states none.
    pub currency: String,
    /// done, pending, pending again, or hidden (not found yet).
    pub status: String,
}

/// Stored state of all fakes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GatewayState {
    /// Orders by id.
    pub orders: BTreeMap<String, FakeOrder>,
    /// Payments by id.
    pub payments: BTreeMap<String, FakePayment>,
    /// Refunds, oldest first.
    #[serde(default)]
    pub refunds: Vec<FakeRefund>,
    /// Orders of gift cards by `supplier|our reference`.
    #[serde(default)]
    pub cards: BTreeMap<String, FakeCardOrder>,
    count: u64,
}

/// Returns an id that looks random but is a digest of `of`.
pub fn id(prefix: &str, of: &str) -> String {
    let digest = Sha256::digest(of.as_bytes());
    format!("{prefix}{}", hex::encode(digest.get(..7).unwrap_or_default()))
}

impl GatewayState {
    /// Creates an order, or returns the one created with the same key before.
    pub fn order(&mut self, prefix: &str, order: FakeOrder) -> FakeOrder {
        let same = |known: &&FakeOrder| known.gateway == order.gateway && known.key == order.key;
        if let Some(known) = self.orders.values().find(same) {
            return known.clone();
        }
        let id = id(prefix, &format!("{}|{}", order.gateway, order.key));
        let order = FakeOrder { id: id.clone(), ..order };
        self.orders.insert(id, order.clone());
        order
    }

    /// Returns a number that was not used before.
    pub fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Records a payment of an order with this status; returns the payment. Capturing a paid order
    /// again returns the first payment.
    pub fn pay(&mut self, order: &str, status: &str) -> Option<FakePayment> {
        let (gateway, units) = self.orders.get(order).map(|order| (order.gateway.clone(), order.units))?;
        let earlier = |payment: &&FakePayment| payment.order == order && payment.status == status;
        if let (true, Some(paid)) = (status == "captured", self.payments.values().find(earlier)) {
            return Some(paid.clone());
        }
        let number = self.number();
        let name = format!("{order}|{number}");
        let (prefix, charge) = match gateway.as_str() {
            "stripe" if order.starts_with("pi_") => ("", id("ch_", &name)),
            "stripe" => ("pi_", id("ch_", &name)),
            "paypal" => ("", String::new()),
            _ => ("pay_", String::new()),
        };
        let id = match gateway.as_str() {
            "stripe" if order.starts_with("pi_") => order.to_owned(),
            "paypal" => id("", &name).to_ascii_uppercase(),
            _ => id(prefix, &name),
        };
        let payment = FakePayment {
            id: id.clone(),
            charge,
            order: order.to_owned(),
            units,
            status: status.to_owned(),
            refunded: 0,
            number,
        };
        self.payments.insert(id, payment.clone());
        if let Some(order) = self.orders.get_mut(order) {
            order.status = if status == "captured" { "paid" } else { status }.to_owned();
        }
        Some(payment)
    }

    /// Refunds a payment, at most what is not refunded yet; returns the total refunded amount.
    pub fn refund(&mut self, id: &str, payment: &str, units: u64) -> u64 {
        let Some(paid) = self.payments.get_mut(payment) else { return 0 };
        let units = units.min(paid.units.saturating_sub(paid.refunded));
        paid.refunded += units;
        let refunded = paid.refunded;
        self.refunds.push(FakeRefund { id: id.to_owned(), payment: payment.to_owned(), units });
        refunded
    }

    /// Records that a refund has failed: subtracts it from the total refunded amount.
    pub fn refund_fails(&mut self, payment: &str, units: u64) {
        if let Some(paid) = self.payments.get_mut(payment) {
            paid.refunded = paid.refunded.saturating_sub(units);
        }
    }

    /// Returns the newest captured payment of a customer with this gateway.
    pub fn newest_payment(&self, gateway: &str, customer: &str) -> Option<&FakePayment> {
        let theirs = |order: &FakeOrder| {
            order.gateway == gateway
                && order
                    .topup
                    .as_ref()
                    .and_then(|topup| topup.split_once('.'))
                    .is_some_and(|(_, c)| c == customer)
        };
        let paid = self.payments.values().filter(|payment| {
            payment.status == "captured" && self.orders.get(&payment.order).is_some_and(theirs)
        });
        paid.max_by_key(|payment| payment.number)
    }
}
