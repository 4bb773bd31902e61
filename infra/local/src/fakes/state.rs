//! What the fake gateways remember: orders, payments, refunds and disputes.
//!
//! **Invariant:** amounts are whole minor units; an order is paid once.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// An order, checkout session or payment intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeOrder {
    /// razorpay, stripe or paypal
    pub gateway: String,
    /// Its id.
    pub id: String,
    /// How much.
    pub units: u64,
    /// In which currency, in capitals.
    pub currency: String,
    /// The top-up that it was made for, if it names one.
    pub topup: Option<String>,
    /// What we sent to make a repetition give the same.
    pub key: String,
    /// Where the customer goes afterwards.
    pub return_url: Option<String>,
    /// created, approved, paid or failed
    pub status: String,
}

/// A payment of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakePayment {
    /// Its id.
    pub id: String,
    /// The charge, where that is another thing.
    pub charge: String,
    /// Of which order.
    pub order: String,
    /// How much.
    pub units: u64,
    /// captured, authorized or failed
    pub status: String,
    /// What has been refunded in all.
    pub refunded: u64,
    /// Its place among all payments.
    pub number: u64,
}

/// A refund of a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeRefund {
    /// Its id.
    pub id: String,
    /// Of which payment.
    pub payment: String,
    /// How much.
    pub units: u64,
}

/// An order of a gift card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FakeCardOrder {
    /// The supplier's own number of it.
    pub number: u64,
    /// Our reference.
    pub reference: String,
    /// The product.
    pub product: String,
    /// The price, as it was written.
    pub amount: String,
    /// In which currency, where that is said.
    pub currency: String,
    /// done, pending or failed
    pub status: String,
}

/// All of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GatewayState {
    /// By id.
    pub orders: BTreeMap<String, FakeOrder>,
    /// By id.
    pub payments: BTreeMap<String, FakePayment>,
    /// In the order made.
    #[serde(default)]
    pub refunds: Vec<FakeRefund>,
    /// Orders of gift cards, by `supplier|our reference`.
    #[serde(default)]
    pub cards: BTreeMap<String, FakeCardOrder>,
    count: u64,
}

/// A fresh-looking id.
pub fn id(prefix: &str, of: &str) -> String {
    let digest = Sha256::digest(of.as_bytes());
    format!("{prefix}{}", hex::encode(digest.get(..7).unwrap_or_default()))
}

impl GatewayState {
    /// Makes an order, or gives the one that was made with this key.
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

    /// A number that no other thing has.
    pub fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Pays an order, or tries in vain; the payment that was made.
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

    /// Refunds a payment, as far as there is something left; gives how much of it has been refunded in all.
    pub fn refund(&mut self, id: &str, payment: &str, units: u64) -> u64 {
        let Some(paid) = self.payments.get_mut(payment) else { return 0 };
        let units = units.min(paid.units.saturating_sub(paid.refunded));
        paid.refunded += units;
        let refunded = paid.refunded;
        self.refunds.push(FakeRefund { id: id.to_owned(), payment: payment.to_owned(), units });
        refunded
    }

    /// A refund has failed: what it had paid back is not.
    pub fn refund_fails(&mut self, payment: &str, units: u64) {
        if let Some(paid) = self.payments.get_mut(payment) {
            paid.refunded = paid.refunded.saturating_sub(units);
        }
    }

    /// The newest captured payment of a customer with this gateway.
    pub fn payment_key(&self, gateway: &str, customer: &str) -> Option<&FakePayment> {
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
